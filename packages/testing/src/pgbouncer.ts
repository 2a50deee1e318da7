import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import pg from 'pg'
import { findPgBouncer } from './binaries.ts'
import { ServerProcess } from './server-process.ts'

/** A PgBouncer of ours. */
export interface PgBouncer extends AsyncDisposable {
  /** Ends it in the way of a crash. */
  kill(): Promise<void>
  /** Starts it again. */
  start(): Promise<void>
  /** Ends it. Stopping twice is stopping once. */
  stop(): Promise<void>
}

/**
 * Starts PgBouncer with a pgbouncer.ini that is there: the one on the PATH, else Debian's `pgbouncer`, which root can have
 * installed. As root it runs as the owner of the file, who must not be root.
 *
 * @param url where it answers when it has started, with a login.
 * @throws ServerUnavailableError when there is none to be had.
 */
export async function startPgBouncer(ini: string, url: string): Promise<PgBouncer> {
  const command = await findPgBouncer()
  const start = (): Promise<ServerProcess> =>
    ServerProcess.start({
      name: 'pgbouncer',
      command,
      args: [ini],
      folder: dirname(ini),
      uid: process.getuid?.() === 0 ? statSync(ini).uid : undefined,
      ready: async () => {
        const client = new pg.Client({ connectionString: url })
        client.on('error', () => {})
        await client.connect().finally(() => client.end())
      },
    })
  let running = await start()
  const stop = (): Promise<void> => running.stop('SIGKILL')
  return {
    kill: stop,
    async start() {
      if (!running.running) running = await start()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
