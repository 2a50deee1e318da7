import { createLease, InvalidOptionError, type LeaseStatus } from '@vault-lease/core'
import { InvalidArgumentError } from 'commander'
import type { AddCommand } from '../add-command.ts'
import type { Database } from '../database/database.ts'
import { exitCodes } from '../exit-codes.ts'
import { addLeaseFlags, databaseOf, type LeaseFlags, leaseOptionsOf } from '../lease-flags.ts'
import { AdminConsole } from '../pgbouncer/admin-console.ts'
import { adviceOn } from '../pgbouncer/advice.ts'
import { configurationIn, type Listen } from '../pgbouncer/configuration.ts'
import { FedPgBouncer } from '../pgbouncer/fed-pgbouncer.ts'
import { Include } from '../pgbouncer/include.ts'
import { PgBouncerError } from '../pgbouncer/pgbouncer-error.ts'
import { untilInterrupted } from '../signals.ts'
import { print, tell } from '../terminal.ts'

interface PgBouncerFlags extends LeaseFlags {
  readonly config?: string
  readonly listen?: Listen
  readonly include?: string
  readonly admin?: string
  readonly json?: true
}

/** Says what has happened: as JSON for programs, else in words. */
type Say = (event: Readonly<Record<string, unknown>>, words: string) => void

const listenByDefault = { host: '127.0.0.1', port: 6432 }

const help = `
PgBouncer comes to the database as a user from Vault, and applications, in any language, come to PgBouncer with a login that
stays. When there is another user it is tried, written to the file that PgBouncer's configuration includes, put in force by a
reload, and the old one is revoked when its last connection is closed: no query is lost. That takes pool_mode = transaction.

From nothing: --config writes pgbouncer.ini, the users and the passwords (random, mode 0600) to a folder, once, and tells how to
start PgBouncer. Beside a configuration of your own: it has to %include the file of --include, and --admin is its console, as one
of admin_users, whose password is in PGPASSWORD or ~/.pgpass. PgBouncer may be started before or after; as root, files are given
to the owner of their folder.

When it ends by a signal and PgBouncer runs, the user lives on for what is left of its TTL, so that nobody is cut off: started
again in that time, the command puts a new one in force. When PgBouncer has ended before, the lease is revoked.

With --json each line has an "event": configured, advice, inForce, revoked, failed, left.

Exit codes: 0 ended by a signal; 2 wrong options; 3 Vault gives no credential; 4 the database does not take it, or PgBouncer
refuses what it is asked.

Examples:
  vault-lease pgbouncer --role app --url postgresql://db.internal/app --config ./bouncer
  vault-lease pgbouncer --role app --url postgresql://db.internal/app \\
    --include /etc/pgbouncer/app.ini --admin postgresql://admin@127.0.0.1:6432/pgbouncer`

/** `vault-lease pgbouncer`: keeps the user fresh with which PgBouncer comes to the database. */
export const addPgBouncer: AddCommand = (program, exit) => {
  addLeaseFlags(program.command('pgbouncer'))
    .description('Keep the database user of a PgBouncer fresh: rotation for any language.')
    .option('--config <folder>', 'write a whole configuration there if there is none, and keep it')
    .option(
      '--listen <host:port>',
      'where PgBouncer of a new --config listens (default: 127.0.0.1:6432)',
      listenAt,
    )
    .option('--include <file>', 'the file that the configuration of a PgBouncer includes')
    .option('--admin <url>', 'the console of that PgBouncer, without a password')
    .option('--json', 'tell each thing that happens as a line of JSON')
    .addHelpText('after', help)
    .action(async ({ json, ...flags }: PgBouncerFlags) => {
      await keep(flags, (event, words) => (json ? print(JSON.stringify(event)) : tell(words)))
      exit(exitCodes.done)
    })
}

async function keep(flags: PgBouncerFlags, say: Say): Promise<void> {
  const database = postgresqlOf(flags)
  const { include, consoleUrl } = pgBouncerOf(flags, database, say)
  await checkConsole(consoleUrl, say)
  using interrupted = untilInterrupted()
  // The old user lives on until its last connection is closed, be that at the end of its lease.
  const lease = createLease({
    ...leaseOptionsOf(flags),
    rotation: { drainTimeoutMs: Number.MAX_SAFE_INTEGER },
  })
  const fed = new FedPgBouncer(lease, {
    database,
    include,
    consoleUrl,
    onInForce: (username, tookMs) =>
      say({ event: 'inForce', username, tookMs }, `The database user is ${username} (${tookMs} ms).`),
    onFailed: (error) => say({ event: 'failed', message: messageOf(error) }, `Not yet: ${messageOf(error)}`),
  })
  let livesOn = false
  try {
    await Promise.race([fed.begin(), interrupted])
    lease.on('revoked', ({ username }) => say({ event: 'revoked', username }, `${username} is gone.`))
    lease.on('failed', ({ step, error }) =>
      say({ event: 'failed', step, message: error.message }, `Failed to ${step}: ${error.message}`),
    )
    await interrupted
    livesOn = await fed.end()
  } finally {
    if (!livesOn) {
      await lease.close()
      include.clear()
    }
  }
  if (livesOn) sayHowLong(lease.status(), say)
}

function sayHowLong({ username, expiresInMs = 0 }: LeaseStatus, say: Say): void {
  const words = `PgBouncer goes on as ${username}, for ${Math.floor(expiresInMs / 1_000)} s. Start this command again before that.`
  say({ event: 'left', username, expiresInMs }, words)
}

function postgresqlOf(flags: LeaseFlags): Database {
  const database = databaseOf(flags)
  if (!database?.kind.protocols.includes('postgresql') || database.address.database === '')
    throw new InvalidOptionError('PgBouncer needs --url with a database: postgresql://host:5432/db.')
  if (database.place.includes(','))
    throw new InvalidOptionError('PgBouncer is told of one host: leave the others out of --url.')
  return database
}

function pgBouncerOf(
  { config, listen, include, admin, url = '' }: PgBouncerFlags,
  database: Database,
  say: Say,
): { readonly include: Include; readonly consoleUrl: string } {
  if (config === undefined) {
    if (include === undefined || admin === undefined || listen)
      throw new InvalidOptionError('Give --config, or --include and --admin of a PgBouncer that is there.')
    if (/:\/\/[^@/]*:[^@/]*@|[?&]password=/.test(admin))
      throw new InvalidOptionError('Leave the password out of --admin: it is in PGPASSWORD or ~/.pgpass.')
    if (!/^(?:postgres|postgresql|socket):/.test(admin) || !URL.canParse(admin))
      throw new InvalidOptionError('--admin is a URL: postgresql://admin@127.0.0.1:6432/pgbouncer.')
    return { include: new Include(include, '--include', database.address), consoleUrl: admin }
  }
  if (include !== undefined || admin !== undefined)
    throw new InvalidOptionError('--config has its own --include and --admin.')
  const named = { url, name: database.address.database }
  const { ini, applicationUrl, isNew, ...found } = configurationIn(config, named, listen ?? listenByDefault)
  // Before anybody is told to start PgBouncer, which needs the file.
  const written = new Include(found.include, '--config', database.address)
  say(
    { event: 'configured', isNew, ini, applicationUrl },
    `${ini} ${isNew ? 'is written' : 'is there, and stays as it is'}.
  Start PgBouncer:      pgbouncer ${ini}
  Applications connect: the URL is in ${applicationUrl}`,
  )
  return { include: written, consoleUrl: found.consoleUrl }
}

/** Before anything is written or asked of Vault. A PgBouncer that is not there yet may come. */
async function checkConsole(url: string, say: Say): Promise<void> {
  try {
    await using admin = await AdminConsole.open(url)
    for (const advice of adviceOn(await admin.run('SHOW CONFIG'))) say({ event: 'advice', advice }, advice)
  } catch (error) {
    if (!(error instanceof PgBouncerError) || !error.retryable) throw error
  }
}

function listenAt(text: string): Listen {
  const [, host = '', port = ''] = /^(.+):(\d+)$/.exec(text) ?? []
  if (host === '' || Number(port) > 65_535)
    throw new InvalidArgumentError('It takes a host and a port: 127.0.0.1:6432.')
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
