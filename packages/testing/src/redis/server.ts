import { chownSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findRedis } from '../binaries.ts'
import {
  type DatabaseServer,
  type DatabaseServerOptions,
  existingServer,
  type Place,
  placeOf,
} from '../database-server.ts'
import { freeze } from '../freeze.ts'
import { KeptData } from '../kept-data.ts'
import { type Home, type OwnServer, startOwn } from '../own-server.ts'
import { randomPassword } from '../random-password.ts'
import { ServerProcess } from '../server-process.ts'
import { connectionTo } from './session.ts'

const superuser = 'vault_lease_admin'
const ownPassword = randomPassword()
const database = '0'
const addressVariable = 'VAULT_LEASE_TEST_REDIS_URL'

/**
 * Starts Redis or Valkey on an ephemeral port of 127.0.0.1: the one that VAULT_LEASE_TEST_REDIS_URL names (a superuser's URL; it
 * can be neither restarted nor paused), else `redis-server` or `valkey-server` on the PATH, else Debian's `redis-server`, which
 * root can have installed. Users that were made since its start are gone after a restart, as everywhere where nobody has told
 * Redis to save them.
 *
 * @throws ServerUnavailableError when there is none to be had.
 */
export async function startRedis(options: DatabaseServerOptions = {}): Promise<DatabaseServer> {
  const url = process.env[addressVariable]
  if (!url) return await ownRedis(options)
  return existingServer(connectionTo(placeOf(new URL(url), { port: 6379, database })), addressVariable)
}

async function ownRedis({ maxConnections = 300, folder }: DatabaseServerOptions): Promise<DatabaseServer> {
  const command = await findRedis()
  const kept = folder === undefined ? undefined : new KeptData(folder)
  const password = kept?.password ?? ownPassword
  const own = (port: number): Place => ({
    host: '127.0.0.1',
    port,
    database,
    superuser: { user: superuser, password },
  })
  const server: OwnServer = {
    async initialise(home) {
      writeUsers(home, password)
    },
    start: (home, port) =>
      ServerProcess.start({
        name: 'redis-server',
        command,
        args: [
          ...['--bind', '127.0.0.1', '--port', String(port), '--dir', home.data],
          ...['--aclfile', usersFile(home), '--maxclients', String(maxConnections)],
          // What it has acknowledged is there after it was killed.
          ...['--appendonly', 'yes', '--appendfsync', 'no', '--save', ''],
        ],
        folder: home.folder,
        uid: home.uid,
        ready: () => connectionTo(own(port)).query('["PING"]'),
      }),
    async setUp() {},
    connection: (port) => connectionTo(own(port)),
    pause: ({ pid }) => freeze(pid),
    resume: (running) => running.signal('SIGCONT'),
    signals: { immediate: 'SIGKILL', fast: 'SIGTERM' },
  }
  return await startOwn(server, kept)
}

function usersFile({ data }: Home): string {
  return join(data, 'users.acl')
}

/** Nobody is let in without a password. */
function writeUsers(home: Home, password: string): void {
  const path = usersFile(home)
  if (existsSync(path)) return
  writeFileSync(path, `user default off\nuser ${superuser} on >${password} ~* &* +@all\n`, { mode: 0o600 })
  if (home.uid !== undefined) chownSync(path, home.uid, home.uid)
}
