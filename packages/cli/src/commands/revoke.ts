import { InvalidOptionError } from '@vault-lease/core'
import type { AddCommand } from '../add-command.ts'
import { saysYes } from '../ask.ts'
import { exitCodes } from '../exit-codes.ts'
import { leaseIds } from '../leases/leases.ts'
import { forgetAll, type Revoked, revokeAll } from '../leases/revoke.ts'
import { addRoleFlags, mountOf, type RoleFlags } from '../leases/role-flags.ts'
import { withProgress } from '../progress.ts'
import { print, tell } from '../terminal.ts'
import { openVault, type VaultApi } from '../vault/vault-api.ts'

interface RevokeFlags extends RoleFlags {
  readonly yes?: true
  readonly force?: true
  readonly json?: true
}

const help = `
The database user is gone when this ends; whoever still uses it is cut off. A lease that is not there any more counts as revoked.
--force is for a database that is gone for good: Vault forgets the leases without dropping their users, whom "vault-lease orphans"
then finds, should the database come back.

The token of Vault needs:
  path "sys/leases/revoke"          { capabilities = ["update"] }
  path "sys/leases/lookup/*"        { capabilities = ["list", "sudo"] }     # --role
  path "sys/leases/revoke-force/*"  { capabilities = ["update", "sudo"] }   # --force

Exit codes: 0 all are revoked; 1 whoever was asked said no; 2 wrong options; 3 Vault could not revoke all of them.

Examples:
  vault-lease revoke database/creds/app/lPgJVAhcex0x24fY0ovbTd4A
  vault-lease revoke --role app
  vault-lease revoke --role app --force --yes`

/** `vault-lease revoke`: ends leases, and with them their database users. */
export const addRevoke: AddCommand = (program, exit) => {
  addRoleFlags(program.command('revoke'), 'all leases of this role')
    .description('End leases, and with them their database users.')
    .argument('[lease-id...]', 'which leases')
    .option('--yes', 'do not ask')
    .option('--force', 'have Vault forget them, and leave their users: for a database that is gone')
    .option('--json', 'tell it as JSON')
    .addHelpText('after', help)
    .action(async (ids: string[], flags: RevokeFlags) => {
      exit(await revoke(ids, flags))
    })
}

async function revoke(
  named: readonly string[],
  { yes, force, json, ...flags }: RevokeFlags,
): Promise<number> {
  if (named.length > 0 === (flags.role !== undefined))
    throw new InvalidOptionError('Which leases? Give their ids, or --role for all leases of a role.')
  await using vault = openVault(flags)
  const ids = await idsOf(vault, named, flags)
  if (!yes && (force || flags.role !== undefined) && ids.length > 0) {
    if (!(await saysYes(questionFor(ids.length, flags, force)))) return exitCodes.found
  }
  const work = force ? forgetAll(vault, ids) : revokeAll(vault, ids)
  const revoked = await withProgress(`Revoking ${count(ids.length)}`, work)
  const failed = revoked.filter(({ error }) => error)
  if (json) print(JSON.stringify(resultOf(revoked)))
  else print(`${count(revoked.length - failed.length)} revoked.`)
  for (const { id, error } of failed) tell(`${id} is not revoked: ${error?.message}`)
  return failed.length > 0 ? exitCodes.vault : exitCodes.done
}

async function idsOf(
  vault: VaultApi,
  named: readonly string[],
  { role, ...flags }: RoleFlags,
): Promise<readonly string[]> {
  return role === undefined ? named : await leaseIds(vault, { mount: mountOf(flags), role })
}

function questionFor(leases: number, { role }: RoleFlags, force: true | undefined): string {
  const which = `${count(leases)}${role === undefined ? '' : ` of the role ${role}`}`
  return force
    ? `Have Vault forget ${which}, and leave their users in the database?`
    : `Revoke ${which}, and drop their database users?`
}

function count(leases: number): string {
  return leases === 1 ? '1 lease' : `${leases} leases`
}

function resultOf(revoked: readonly Revoked[]): object {
  return {
    revoked: revoked.flatMap(({ id, error }) => (error ? [] : [id])),
    failed: revoked.flatMap(({ id, error }) => (error ? [{ id, error: error.message }] : [])),
  }
}
