import mongoose, { type Connection, type Mongoose } from 'mongoose'
import { vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { openMongoGateway } from '../../testing/src/mongo/gateway.ts'
import { type LeaseManager, type VaultConnectOptions, vaultConnect } from '../src/index.ts'

/** A real Vault and a real MongoDB, and connections of Mongoose on them. */
export interface Servers extends LeasedServers {
  /** Without a user. */
  readonly uri: string
  /** A Mongoose of its own, which is disconnected in the end. */
  mongoose(): Mongoose
  /** Such a Mongoose, connected. */
  connected(options?: VaultConnectOptions): Promise<Mongoose>
  /** Another way to the server, which fails in the place of the server while `isDown` says so. */
  detour(isDown: () => boolean): Promise<string>
  /** Throws when a user or a lease is left. */
  nothingIsLeft(): Promise<void>
}

// SecantusDB 0.7 hangs when a collection is created while another request inserts into one that is not there yet.
const collections = ['items', 'authors', 'books', 'reviews']
const schema = collections.map((create) => JSON.stringify({ create }))

export async function startServers(): Promise<Servers> {
  const servers = await startLeasedServers({ kind: 'mongodb', schema })
  const { host, port, database } = servers.place
  const uri = `mongodb://${host}:${port}/${database}`
  const newMongoose = (): Mongoose => servers.closing(new mongoose.Mongoose(), (each) => each.disconnect())
  const connected: Servers['connected'] = async (options = {}) => {
    const from = options.lease ? {} : { vault: await servers.vaultOptions(), role: servers.role }
    return await vaultConnect(newMongoose(), uri, { ...from, ...options } as VaultConnectOptions)
  }
  return {
    ...servers,
    uri,
    mongoose: newMongoose,
    connected,
    async detour(isDown) {
      const onCommand = async (): Promise<undefined> => {
        if (isDown()) throw new Error('down')
      }
      const gateway = await openMongoGateway({ host, port, onCommand })
      servers.closing(gateway, () => gateway.close())
      return `mongodb://${gateway.host}:${gateway.port}/${database}?directConnection=true`
    },
    async nothingIsLeft() {
      const left = [...(await servers.engine.users()), ...(await servers.engine.leases(servers.role))]
      if (left.length > 0) throw new Error(`these are left: ${left.join(', ')}`)
    },
  }
}

/** The database user that a connection works as. */
export async function userOf({ db }: Connection): Promise<string> {
  const { authInfo } = (await db?.command({ connectionStatus: 1 })) ?? {}
  return authInfo.authenticatedUsers[0].user
}

/** Waits until only the user in force is left. */
export async function untilRetired(lease: LeaseManager): Promise<void> {
  await vi.waitUntil(() => lease.status().retiring.length === 0, { timeout: 10_000, interval: 10 })
}

/** The events of a connection, in order. */
export function eventsOf(connection: Connection): string[] {
  const told: string[] = []
  const states = ['connecting', 'connected', 'open', 'disconnecting', 'disconnected', 'close', 'reconnected']
  for (const event of states) connection.on(event, () => told.push(event))
  return told
}
