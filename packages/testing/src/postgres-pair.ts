import { execFile } from 'node:child_process'
import { appendFileSync, chmodSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findPostgres } from './binaries.ts'
import type { Connection } from './database-server.ts'
import { openFaultProxy } from './fault-proxy.ts'
import { type OwnServer, startOwn } from './own-server.ts'
import { ownConnection, postgresServer } from './postgres.ts'

/** A primary PostgreSQL and a standby that follows it, behind one address. */
export interface PostgresPair extends Connection, AsyncDisposable {
  /** The standby itself, which takes nothing but reads before a fail-over. */
  readonly standby: Connection
  /** Kills the primary, promotes the standby, and has the address lead there. Resolves when it takes writes. */
  failOver(): Promise<void>
  /** Ends both and removes their data. */
  stop(): Promise<void>
}

/**
 * Starts both, with streaming replication.
 *
 * @throws ServerUnavailableError when PostgreSQL is not to be had.
 */
export async function startPostgresPair(): Promise<PostgresPair> {
  const server = postgresServer(await findPostgres(), {})
  const primary = await startOwn(server)
  const [row] = await primary.query<{ data_directory: string }>('show data_directory')
  await primary.kill()
  const standby = await startOwn({
    ...standbyOf(primary, row?.data_directory ?? '', server),
    async start(home, port) {
      await primary.start()
      return await server.start(home, port)
    },
  })
  const front = await openFaultProxy(primary)
  const stop = async (): Promise<void> => {
    await Promise.all([primary.stop(), standby.stop(), front[Symbol.asyncDispose]()])
  }
  return {
    ...ownConnection(front.port),
    standby,
    async failOver() {
      await primary.kill()
      await standby.query('select pg_promote(true, 30)')
      front.redirect(standby)
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Begins as a copy of the data of a primary that does not run, and goes on with what that sends. */
function standbyOf({ host, port, superuser }: Connection, primaryData: string, server: OwnServer): OwnServer {
  return {
    ...server,
    async initialise({ data, uid }) {
      await cp(primaryData, data, { recursive: true, filter: (path) => !path.endsWith('postmaster.pid') })
      const { user, password } = superuser
      const from = `primary_conninfo = 'host=${host} port=${port} user=${user} password=${password}'\n`
      appendFileSync(join(data, 'postgresql.auto.conf'), from)
      writeFileSync(join(data, 'standby.signal'), '')
      chmodSync(data, 0o700)
      if (uid !== undefined) await promisify(execFile)('chown', ['-R', `${uid}:${uid}`, data])
    },
    setUp: async () => {},
  }
}
