import { InvalidOptionError } from '@vault-lease/core'
import { Option } from 'commander'
import type { AddCommand } from '../add-command.ts'
import { adminAccess } from '../database/admin-url.ts'
import { secondsOf } from '../durations.ts'
import { exitCodes } from '../exit-codes.ts'
import { type Dropped, dropOrphans } from '../orphans/drop.ts'
import { Engines } from '../orphans/engines.ts'
import { type Found, findOrphans, type Search } from '../orphans/find.ts'
import { type Kind, namesLike, namesOfVault } from '../orphans/names.ts'
import { kindOf, openUsers } from '../orphans/open-users.ts'
import { resultOf, textOf } from '../orphans/report.ts'
import type { Ownership } from '../orphans/users.ts'
import { withProgress } from '../progress.ts'
import { print, tell } from '../terminal.ts'
import { openVault } from '../vault/vault-api.ts'
import { addVaultFlags, type VaultFlags } from '../vault/vault-flags.ts'

interface OrphansFlags extends VaultFlags {
  readonly adminUrlFile?: string
  readonly pattern?: string
  readonly maxRequestDuration: number
  readonly drop?: true
  readonly reassignTo?: string
  readonly dropOwned?: true
  readonly json?: true
}

const help = `
The superuser's URL is in VAULT_LEASE_ADMIN_URL, or in the file --admin-url-file.
Vault does not say which user a lease is for. A user is called an orphan when none of the leases of its role was issued within the
time that a request may take after the user was made. Where one was, and there are more users than leases, they are told as
undecided and left alone: when those leases have ended, it can be told. Static roles' users, and those whose names Vault would not
make, are never touched.
The leases are those of every database secrets engine in the namespace. What another Vault or namespace has made on the same
database looks like an orphan: do not use --drop there, or tell them apart by --pattern.

The token of Vault needs:
  path "sys/mounts"                 { capabilities = ["read"] }
  path "sys/leases/lookup/*"        { capabilities = ["list", "sudo"] }
  path "sys/leases/lookup"          { capabilities = ["update"] }
  path "<mount>/config/*", "<mount>/roles/*", "<mount>/static-roles/*"  { capabilities = ["read", "list"] }

Exit codes: 0 there are none, or all were dropped; 1 there are orphans; 2 wrong options; 3 Vault; 4 the database.

Examples:
  vault-lease orphans --admin-url-file /run/secrets/admin-url
  vault-lease orphans --drop
  vault-lease orphans --drop --reassign-to app_owner`

/** `vault-lease orphans`: database users made by Vault that no lease backs. */
export const addOrphans: AddCommand = (program, exit) => {
  addVaultFlags(program.command('orphans'))
    .description('Find database users made by Vault that no lease backs, and drop them.')
    .option(
      '--admin-url-file <file>',
      'the file with the URL of the superuser (default: VAULT_LEASE_ADMIN_URL)',
    )
    .option(
      '--pattern <regexp>',
      'what users of Vault are called, with groups (?<role>…) and (?<time>…) (default: as Vault names them by itself)',
    )
    .addOption(
      new Option(
        '--max-request-duration <time>',
        'how long a request may take at most: what the configuration of the Vault says',
      )
        .argParser(secondsOf)
        .default(90_000, '90s'),
    )
    .option('--drop', 'end their sessions, and drop them')
    .addOption(
      new Option('--reassign-to <role>', 'give what they own to this one (PostgreSQL)').conflicts(
        'dropOwned',
      ),
    )
    .option('--drop-owned', 'drop what they own')
    .option('--json', 'tell it as JSON')
    .addHelpText('after', help)
    .action(async (flags: OrphansFlags) => {
      exit(await findAndDrop(flags))
    })
}

async function findAndDrop({ drop, json, ...flags }: OrphansFlags): Promise<number> {
  const access = adminAccess(flags.adminUrlFile)
  const kind = kindOf(access)
  const ownership = ownershipOf(flags, kind)
  if (ownership !== undefined && !drop)
    throw new InvalidOptionError('--reassign-to and --drop-owned go with --drop.')
  await using vault = openVault(flags)
  await using users = await openUsers(access)
  const engines = await Engines.of(vault)
  if (flags.pattern === undefined) await engines.checkNames(kind)
  const readName = flags.pattern === undefined ? namesOfVault(kind) : namesLike(flags.pattern)
  const search: Search = { users, engines, readName, requestMs: flags.maxRequestDuration }
  const found = await withProgress(
    `Comparing the users of ${access.database.place} with the leases of Vault`,
    findOrphans(search),
  )
  if (!json) print(textOf(found))
  const dropped = drop ? await dropAll(search, found, ownership, json) : []
  if (json) print(JSON.stringify(resultOf(found, dropped)))
  const left = found.orphans.length - dropped.filter(({ kept }) => kept === undefined).length
  return left > 0 ? exitCodes.found : exitCodes.done
}

function ownershipOf({ reassignTo, dropOwned }: OrphansFlags, kind: Kind): Ownership {
  if (reassignTo === undefined) return dropOwned ? 'drop' : undefined
  if (kind !== 'postgresql')
    throw new InvalidOptionError('--reassign-to is for PostgreSQL: elsewhere an owner cannot be changed.')
  return { reassignTo }
}

async function dropAll(
  search: Search,
  { orphans }: Found,
  ownership: Ownership,
  json: true | undefined,
): Promise<readonly Dropped[]> {
  const dropped: Dropped[] = []
  for await (const drop of dropOrphans(search, orphans, ownership)) {
    dropped.push(drop)
    const { username, kept } = drop
    if (kept !== undefined) tell(`${username} is kept: ${kept}`)
    else if (!json) print(`${username} is dropped.`)
  }
  return dropped
}
