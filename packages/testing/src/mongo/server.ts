import { findMongod } from '../binaries.ts'
import {
  type DatabaseServer,
  type DatabaseServerOptions,
  existingServer,
  placeOf,
} from '../database-server.ts'
import { KeptData } from '../kept-data.ts'
import { startOwn } from '../own-server.ts'
import { mongod } from './mongod.ts'
import { database, ownPassword } from './own-place.ts'
import { secantus } from './secantus.ts'
import { connectionTo } from './session.ts'

const addressVariables = ['VAULT_LEASE_TEST_MONGODB_URL', 'MONGODB_URI'] as const

/**
 * Starts MongoDB on an ephemeral port of 127.0.0.1, as a replica set of one member: the member that
 * VAULT_LEASE_TEST_MONGODB_URL, else MONGODB_URI, names (a superuser's URL; it can be neither restarted nor paused), else
 * `mongod` on the PATH, else SecantusDB from PyPI, which speaks the same protocol, downloaded once.
 *
 * @throws ServerUnavailableError when there is none to be had.
 */
export async function startMongo(options: DatabaseServerOptions = {}): Promise<DatabaseServer> {
  for (const variable of addressVariables) {
    const url = process.env[variable]
    if (url) return existingServer(connectionTo(placeOf(new URL(url), { port: 27_017, database })), variable)
  }
  const installed = findMongod()
  const kept = options.folder === undefined ? undefined : new KeptData(options.folder)
  const password = kept?.password ?? ownPassword
  return await startOwn(installed ? mongod(installed, options, password) : await secantus(password), kept)
}
