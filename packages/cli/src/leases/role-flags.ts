import type { Command } from 'commander'
import { addVaultFlags, type VaultFlags } from '../vault/vault-flags.ts'

/** Which role's leases are meant, as it was given on the command line. */
export interface RoleFlags extends VaultFlags {
  readonly role?: string
  readonly mount?: string
}

/** Adds them to a subcommand. */
export function addRoleFlags(command: Command, role: string): Command {
  return addVaultFlags(command)
    .option('-r, --role <role>', role)
    .option('--mount <path>', 'where the engine is mounted (default: VAULT_DB_MOUNT, else "database")')
}

export function mountOf({ mount }: RoleFlags): string {
  return mount ?? process.env['VAULT_DB_MOUNT'] ?? 'database'
}
