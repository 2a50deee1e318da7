import { Option } from 'commander'
import type { AddCommand } from '../add-command.ts'
import { CredentialFile } from '../creds/credential-file.ts'
import type { Coming } from '../dev/comings.ts'
import { type Environment, environmentOf, exportsOf, fileOf, forOperators } from '../dev/environment.ts'
import { startLocal } from '../dev/local.ts'
import { revokeAll } from '../dev/roles.ts'
import type { LocalServers } from '../dev/servers.ts'
import { openUsersOf } from '../dev/users.ts'
import { watchUsers } from '../dev/watch-users.ts'
import { secondsOf } from '../durations.ts'
import { exitCodes } from '../exit-codes.ts'
import { namesOfVault } from '../orphans/names.ts'
import { withProgress } from '../progress.ts'
import { untilInterrupted } from '../signals.ts'
import { print, tell } from '../terminal.ts'

interface DevFlags {
  readonly mysql?: true
  readonly mongo?: true
  readonly ttl: number
  readonly maxTtl: number
  readonly data?: string
  readonly schema?: string
  readonly out?: string
  readonly json?: true
}

/** The longest that a Vault gives out by itself. */
const tokenTtl = '768h'

const help = `
The roles are "app", which reads and writes, and "readonly". Users may use the tables that are there when they are made: those of
--schema. What has to be had first (PostgreSQL, OpenBao …) is downloaded once.
--schema is run at each start: with --data let it say "create table if not exists". For MongoDB it is a JSON list of commands, such
as [{"insert":"items","documents":[{"_id":1}]}].
Ctrl-C ends it, and the servers; so does the end of this process by anything else.

Exit codes: 0 ended by Ctrl-C; 2 wrong options; 4 a server could not be had or started, or refuses the schema.

Examples:
  vault-lease dev
  vault-lease dev --schema schema.sql --out .env    # then: node --env-file=.env app.js
  vault-lease dev --mysql --data .dev --ttl 1m --max-ttl 5m`

/** `vault-lease dev`: a local Vault and database, until Ctrl-C. */
export const addDev: AddCommand = (program, exit) => {
  program
    .command('dev')
    .description('Run a local Vault and a database whose users live for seconds, until Ctrl-C.')
    .addOption(new Option('--mysql', 'MariaDB, instead of PostgreSQL').conflicts('mongo'))
    .option('--mongo', 'MongoDB, instead of PostgreSQL')
    .addOption(
      new Option('--ttl <time>', 'how long a user lives unless its lease is renewed')
        .argParser(secondsOf)
        .default(10_000, '10s'),
    )
    .addOption(
      new Option('--max-ttl <time>', 'how long a user lives at most')
        .argParser(secondsOf)
        .default(30_000, '30s'),
    )
    .option('--data <folder>', 'keep the data of the database there')
    .option('--schema <file>', 'run it on the database first')
    // Not --env-file: Node looks for that file itself, wherever the option is, before any program runs.
    .option('--out <file>', 'write the environment there, mode 0600, instead of printing it')
    .option('--json', 'one line of JSON for each event')
    .addHelpText('after', help)
    .action(async (flags: DevFlags) => {
      await runDev(flags)
      exit(exitCodes.done)
    })
}

async function runDev({ out, json, ...flags }: DevFlags): Promise<void> {
  const file = out === undefined ? undefined : new CredentialFile(out)
  using interrupted = untilInterrupted()
  const kind = kindOf(flags)
  const { ttl, maxTtl, data, schema } = flags
  const starting = startLocal({ kind, data, schema, ttl, maxTtl })
  const what = `Starting ${names[kind]} and a Vault`
  const servers = await Promise.race([withProgress(what, starting), interrupted.then(() => undefined)])
  // What has been started by then ends with this process.
  if (!servers) process.exit(exitCodes.done)
  try {
    const token = await servers.engine.createToken({ ttl: tokenTtl })
    const environment = environmentOf(servers, token)
    file?.write(fileOf(environment))
    if (json) print(JSON.stringify({ event: 'ready', ...(out === undefined ? environment : { out }) }))
    else print(readyText(environment, out))
    await watch(servers, interrupted, json ? (coming) => print(JSON.stringify(coming)) : printComing)
  } finally {
    file?.remove()
    if (data !== undefined) await revokeAll(servers.engine)
    await servers.stop()
  }
}

const names = { postgresql: 'PostgreSQL', mysql: 'MariaDB', mongodb: 'MongoDB' } as const

function kindOf({ mysql, mongo }: Pick<DevFlags, 'mysql' | 'mongo'>): keyof typeof names {
  if (mysql) return 'mysql'
  return mongo ? 'mongodb' : 'postgresql'
}

function readyText({ application, operator }: Environment, out: string | undefined): string {
  const variables =
    out === undefined
      ? [
          `For the application, to be pasted into its shell:\n\n${exportsOf(application)}\n`,
          `${forOperators}\n\n${exportsOf(operator)}\n`,
        ]
      : [`The environment of the application is in ${out}.\n`]
  return [...variables, 'Ctrl-C ends it. Database users that come and go:'].join('\n')
}

async function watch(
  { database }: LocalServers,
  interrupted: Promise<unknown>,
  onComing: (coming: Coming) => void,
): Promise<void> {
  await using users = await openUsersOf(database)
  const isOfVault = namesOfVault(database.kind)
  const ending = new AbortController()
  const watching = watchUsers(
    {
      async users() {
        const usernames = (await users.list()).map(({ username }) => username)
        return usernames.filter(isOfVault)
      },
      onComing,
      onFailure: (error) => tell(`The users cannot be looked at: ${String(error)}`),
    },
    ending.signal,
  )
  await interrupted
  ending.abort()
  await watching
}

function printComing(coming: Coming): void {
  const time = new Date(coming.at).toTimeString().slice(0, 8)
  const lived = coming.event === 'went' ? ` after ${(coming.livedMs / 1_000).toFixed(1)} s` : ''
  print(`${time}  ${coming.event === 'came' ? '+' : '-'} ${coming.username}${lived}`)
}
