import { InvalidOptionError } from '@vault-lease/core'
import type { AddCommand } from '../add-command.ts'
import { textOfDuration } from '../durations.ts'
import { exitCodes } from '../exit-codes.ts'
import { healthAt } from '../health/health-endpoint.ts'
import { textOfHealth } from '../health/health-text.ts'
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
With the URL of a health endpoint (healthHandler() of the library) it tells how that process stands, and asks nobody else.

A lease that is beyond its end is one whose user Vault could not drop: look at the database, and at the role's revocation statements.

The token of Vault needs:
  path "sys/leases/lookup/*"  { capabilities = ["list", "sudo"] }
  path "sys/leases/lookup"    { capabilities = ["update"] }

Exit codes: 0 done, also when there are no leases; 1 the process is not ready, or does not answer; 2 wrong options; 3 Vault.

Examples:
  vault-lease status --role app
  vault-lease status http://127.0.0.1:9000`

/** `vault-lease status`: the leases of a role in short, or how a process stands. */
export const addStatus: AddCommand = (program, exit) => {
  addRoleFlags(program.command('status'), 'whose leases (default: VAULT_DB_ROLE)')
    .argument('[url]', 'of the health endpoint of a process')
    .description('Tell how many leases a role has, the oldest, and the next to end; or how a process stands.')
    .option('--json', 'tell it as JSON')
    .addHelpText('after', help)
    .action(async (url: string | undefined, flags: StatusFlags) => {
      exit(url === undefined ? await tellOfRole(flags) : await tellOfProcess(url, flags))
    })
}

async function tellOfProcess(url: string, { json, role }: StatusFlags): Promise<number> {
  if (role !== undefined) throw new InvalidOptionError('Give either the URL of a process or --role.')
  const health = await withProgress(`Asking ${url}`, healthAt(url))
  print(json ? JSON.stringify({ url, ...health }) : textOfHealth(url, health))
  return health.ready && health.live ? exitCodes.done : exitCodes.found
}

async function tellOfRole({ json, ...flags }: StatusFlags): Promise<number> {
  const role = flags.role ?? process.env['VAULT_DB_ROLE']
  if (role === undefined)
    throw new InvalidOptionError(
      'Which role? Give --role, or set VAULT_DB_ROLE; or give the URL of a process.',
    )
  const mount = mountOf(flags)
  const source = `${mount}/creds/${role}`
  await using vault = openVault(flags)
  const leases = await withProgress(`Looking at the leases of ${source}`, leasesOf(vault, { mount, role }))
  const summary = summaryOf(leases, Date.now())
  print(json ? JSON.stringify({ source, ...summary }) : textOf(source, summary))
  return exitCodes.done
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
