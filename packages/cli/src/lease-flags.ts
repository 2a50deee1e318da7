import { InvalidOptionError, type LeaseOptions } from '@vault-lease/core'
import { type Command, Option } from 'commander'
import { type Database, databaseAt } from './database/database.ts'
import { addVaultFlags, authOf, type VaultFlags } from './vault/vault-flags.ts'

/** Where a credential comes from, and which database it is for, as it was given on the command line. */
export interface LeaseFlags extends VaultFlags {
  readonly role?: string
  readonly staticRole?: string
  readonly mount?: string
  readonly url?: string
}

/** Adds them to a subcommand. */
export function addLeaseFlags(command: Command): Command {
  addVaultFlags(command)
  return command
    .option('-r, --role <role>', 'the role of the database secrets engine (default: VAULT_DB_ROLE)')
    .option('--static-role <role>', 'a static role, instead of --role')
    .option('--mount <path>', 'where the engine is mounted (default: VAULT_DB_MOUNT, else "database")')
    .addOption(
      new Option(
        '--url <url>',
        'the database, without a login: postgresql://host/db, mysql://host/db, mongodb://host/db; the credential is tried there first',
      ).env('VAULT_LEASE_DATABASE_URL'),
    )
}

/** @throws InvalidOptionError when they do not go together. */
export function leaseOptionsOf({ role, staticRole, mount, ...flags }: LeaseFlags): LeaseOptions {
  if (role !== undefined && staticRole !== undefined)
    throw new InvalidOptionError('Give either --role or --static-role.')
  const auth = authOf(flags)
  const origin = staticRole === undefined ? { role } : { staticRole }
  return { ...origin, mount, ...(auth && { vault: { auth } }) }
}

/** `undefined` when none was named. */
export function databaseOf({ url }: LeaseFlags): Database | undefined {
  return url === undefined ? undefined : databaseAt(url)
}
