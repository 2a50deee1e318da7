import { InvalidOptionError } from '@vault-lease/core'
import { type Command, InvalidArgumentError } from 'commander'
import type { AddCommand } from '../add-command.ts'
import { AuditedVault } from '../audit/ask-vault.ts'
import type { Issue } from '../audit/event.ts'
import { isHash } from '../audit/hash.ts'
import { Ledger } from '../audit/ledger.ts'
import { linesOf } from '../audit/lines.ts'
import { resultOf, textOf } from '../audit/report.ts'
import { trace } from '../audit/trace.ts'
import { adminAccessIfGiven } from '../database/admin-url.ts'
import { secondsOf } from '../durations.ts'
import { exitCodes } from '../exit-codes.ts'
import { openUsers } from '../orphans/open-users.ts'
import { withProgress } from '../progress.ts'
import { print, tell } from '../terminal.ts'
import { openVault } from '../vault/vault-api.ts'
import { addVaultFlags, type VaultFlags } from '../vault/vault-flags.ts'

interface AuditFlags extends VaultFlags {
  readonly user?: string
  readonly lease?: string
  readonly role?: string
  readonly displayName?: string
  readonly entity?: string
  readonly since?: number
  readonly until?: number
  readonly device?: string
  readonly adminUrlFile?: string
  readonly json?: true
}

const help = `
The files are those of an audit device of Vault or OpenBao: JSON, a line for each request and response, also behind a prefix of
syslog, and packed (.gz). A cluster has one for each node; give all of them, and those that were rotated away: their order does not
matter. Without a file, standard input is read.

An audit device hides tokens, accessors, user names and the leases of most revocations as hashes. With VAULT_ADDR set, and a token that
may, Vault hashes what is looked for: --user, the leases, and the users of the database, so that the table has their names. Without it
the same hash is still the same user, token or lease. The file does not say how long a lease lives, unless it was renewed:
then Vault is asked for the lease, and for the TTL of its role. UNTIL says how it ended: revoked, or with its token; live: Vault has it
and ends it then; by TTL: nobody revoked it; gone: Vault has it no longer, and nothing tells since when; unknown: Vault was not asked.

With a database (its superuser's URL in VAULT_LEASE_ADMIN_URL, or in --admin-url-file) the sessions are told that are open now. The
database does not remember those that were.

--since and --until take a date (2026-11-29T09:00:00Z) or how long ago (90m, 48h), and leave those who had a user in that time.

The token of Vault needs, each where it is to be asked:
  path "sys/audit-hash/*"          { capabilities = ["update"] }
  path "sys/audit"                 { capabilities = ["read", "sudo"] }    # without --device
  path "sys/leases/lookup"         { capabilities = ["update"] }
  path "<mount>/roles/*"           { capabilities = ["read"] }
  path "sys/mounts/<mount>/tune"   { capabilities = ["read"] }            # where a role has no TTL of its own

Exit codes: 0 done, also when nobody got a user; 2 wrong options, or a file that cannot be read; 3 Vault; 4 the database.

Examples:
  vault-lease audit /var/log/openbao/audit.log
  vault-lease audit --since 2h --role app audit.log audit.log.1.gz
  vault-lease audit --user v-token-app-wMUtSsUyA8tFmiJxvpob-1795505381 audit.log
  kubectl exec openbao-0 -- cat /openbao/audit/audit.log | vault-lease audit --json`

/** `vault-lease audit`: who got which database user, by what an audit device has written. */
export const addAudit: AddCommand = (program, exit) => {
  addVaultFlags(addFilters(program.command('audit')))
    .description('Tell who got which database user, and until when, from the audit log of Vault.')
    .argument('[file...]', 'audit files (default: standard input)')
    .option('--device <path>', 'the audit device that has written them (default: the only one of the Vault)')
    .option(
      '--admin-url-file <file>',
      'the file with the URL of the superuser (default: VAULT_LEASE_ADMIN_URL)',
    )
    .option('--json', 'tell it as JSON')
    .addHelpText('after', help)
    .action(async (files: string[], flags: AuditFlags) => {
      await audit(files, flags)
      exit(exitCodes.done)
    })
}

function addFilters(command: Command): Command {
  return command
    .option('--user <name>', 'only this database user')
    .option('--lease <id>', 'only this lease')
    .option('--role <role>', 'only users of this role')
    .option('--display-name <name>', 'only what a token with this display name got')
    .option('--entity <id>', 'only what this entity got')
    .option('--since <time>', 'only users that somebody had at this time or later', dateOf)
    .option('--until <time>', 'only users that were given to somebody until then', dateOf)
}

async function audit(files: readonly string[], { json, ...flags }: AuditFlags): Promise<void> {
  if (files.length === 0 && process.stdin.isTTY)
    throw new InvalidOptionError('Which file? Name the audit files, or pipe one in.')
  const access = adminAccessIfGiven(flags.adminUrlFile)
  await using open = process.env['VAULT_ADDR'] ? openVault(flags, { maxRetries: 1 }) : undefined
  const vault = open && new AuditedVault(open, flags.device, (text) => tell(`vault-lease: ${text}`))
  const usernames = await namesOf(flags.user, vault)
  const ledger = new Ledger((issue) => isWanted(issue, flags, usernames))
  await withProgress(`Reading ${files.join(', ') || 'standard input'}`, readAll(files, ledger))
  if (usernames?.size === 1 && ledger.hidesNames && !isHash(flags.user ?? ''))
    throw new InvalidOptionError(
      'The file has hashes of user names: for --user set VAULT_ADDR, and a token that may use sys/audit-hash.',
    )
  await using users = access && (await openUsers(access))
  const traces = await trace(ledger, { vault, users, username: flags.user })
  const { since = Number.NEGATIVE_INFINITY } = flags
  const wanted = traces.filter(({ end }) => (end.at ?? Number.POSITIVE_INFINITY) >= since)
  print(json ? JSON.stringify(resultOf(wanted, ledger.broken)) : textOf(wanted))
  if (ledger.broken > 0) tell(`Lines that are no entries of an audit device in JSON: ${ledger.broken}.`)
  if (ledger.wrapped > 0)
    tell(`Users that were given out wrapped, and not unwrapped in these lines: ${ledger.wrapped}.`)
  if (!vault && ledger.hidesNames)
    tell('Set VAULT_ADDR, and a token that may use sys/audit-hash, for what is told as hashes or unknown.')
}

async function readAll(files: readonly string[], ledger: Ledger): Promise<void> {
  for await (const line of linesOf(files)) ledger.read(line)
}

/** What a user may be called in the file; `undefined` when none was asked for. */
async function namesOf(
  user: string | undefined,
  vault: AuditedVault | undefined,
): Promise<ReadonlySet<string> | undefined> {
  if (user === undefined) return undefined
  const hashed = isHash(user) ? [] : ((await vault?.hashed([user])) ?? [])
  return new Set([user, ...hashed.map(([, hash]) => hash)])
}

function isWanted(
  { username, lease, role, issuedAt, holder }: Issue,
  wanted: AuditFlags,
  usernames: ReadonlySet<string> | undefined,
): boolean {
  const { until = Number.POSITIVE_INFINITY } = wanted
  return (
    issuedAt <= until &&
    (usernames?.has(username) ?? true) &&
    isThat(wanted.lease, lease) &&
    isThat(wanted.role, role) &&
    isThat(wanted.displayName, holder.displayName) &&
    isThat(wanted.entity, holder.entityId)
  )
}

function isThat(wanted: string | undefined, value: string | undefined): boolean {
  return wanted === undefined || wanted === value
}

/** Milliseconds since 1970 of a date, or of how long ago. */
function dateOf(text: string): number {
  if (/^\d{4}-/.test(text)) {
    const date = Date.parse(text)
    if (!Number.isNaN(date)) return date
    throw new InvalidArgumentError('It takes a date such as 2026-11-29T09:00:00Z.')
  }
  return Date.now() - secondsOf(text)
}
