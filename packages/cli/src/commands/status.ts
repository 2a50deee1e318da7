import { InvalidOptionError } from '@vault-lease/core'
import type { AddCommand } from '../add-command.ts'
import { textOfDuration } from '../durations.ts'
import { exitCodes } from '../exit-codes.ts'
import { leasesOf } from '../leases/leases.ts'
import { addRoleFlags, mountOf, type RoleFlags } from '../leases/role-flags.ts'
import { type Summary, summaryOf } from '../leases/summary.ts'
import { withProgress } from '../progress.ts'
import { print } from '../terminal.ts'
import { openVault } from '../vault/vault-api.ts'

interface StatusFlags extends RoleFlags {
  readonly json?: true
}

const help = `
A lease that is beyond its end is one whose user Vault could not drop: look at the database, and at the role's revocation statements.

The token of Vault needs:
  path "sys/leases/lookup/*"  { capabilities = ["list", "sudo"] }
  path "sys/leases/lookup"    { capabilities = ["update"] }

Exit codes: 0 done, also when there are no leases; 2 wrong options; 3 Vault.

Example:
  vault-lease status --role app`

/** `vault-lease status`: the leases of a role in short. */
export const addStatus: AddCommand = (program, exit) => {
  addRoleFlags(program.command('status'), 'whose leases (default: VAULT_DB_ROLE)')
    .description('Tell how many leases a role has, the oldest, and the next to end.')
    .option('--json', 'tell it as JSON')
    .addHelpText('after', help)
    .action(async ({ json, ...flags }: StatusFlags) => {
      const role = flags.role ?? process.env['VAULT_DB_ROLE']
      if (role === undefined) throw new InvalidOptionError('Which role? Give --role, or set VAULT_DB_ROLE.')
      const mount = mountOf(flags)
      const source = `${mount}/creds/${role}`
      await using vault = openVault(flags)
      const leases = await withProgress(
        `Looking at the leases of ${source}`,
        leasesOf(vault, { mount, role }),
      )
      const summary = summaryOf(leases, Date.now())
      print(json ? JSON.stringify({ source, ...summary }) : textOf(source, summary))
      exit(exitCodes.done)
    })
}

function textOf(source: string, { leases, overdue, oldest, nextToEnd }: Summary): string {
  return [
    `${source}: ${leases} ${leases === 1 ? 'lease' : 'leases'}`,
    ...(oldest ? [`oldest:      issued ${textOfDuration(oldest.ms)} ago (${oldest.at}), ${oldest.id}`] : []),
    ...(nextToEnd
      ? [`next to end: in ${textOfDuration(nextToEnd.ms)} (${nextToEnd.at}), ${nextToEnd.id}`]
      : []),
    ...(overdue > 0 ? [`beyond their end: ${overdue}, whose users Vault could not drop`] : []),
  ].join('\n')
}
