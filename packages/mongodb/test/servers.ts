import { vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import {
  type MongoGateway,
  type MongoGatewayOptions,
  openMongoGateway,
} from '../../testing/src/mongo/gateway.ts'
import { openSessions } from '../../testing/src/mongo/open-sessions.ts'
import { VaultMongoClient } from '../src/client.ts'
import type { VaultMongoClientOptions } from '../src/options.ts'

export interface Item {
  readonly _id: number
  readonly name: string
}

export const items = 100

/** A real Vault and a real MongoDB with a collection of items, and clients on them. */
export interface Servers extends LeasedServers {
  /** Without a user. */
  readonly uri: string
  client(options?: VaultMongoClientOptions, uri?: string): Promise<VaultMongoClient>
  /** A way to the server on which a test can see commands, hold them up and answer them. */
  gateway(onCommand: MongoGatewayOptions['onCommand']): Promise<{ readonly uri: string }>
  /** How many connections each dynamic user has. */
  sessions(): Promise<ReadonlyMap<string, number>>
  asSuperuser<Reply extends object>(command: object): Promise<Reply[]>
}

export async function startServers(): Promise<Servers> {
  const documents = Array.from({ length: items }, (_, index) => ({
    _id: index + 1,
    name: `item ${index + 1}`,
  }))
  const servers = await startLeasedServers({
    kind: 'mongodb',
    schema: [JSON.stringify({ insert: 'items', documents })],
  })
  const { place, role, database } = servers
  const { host, port } = place
  const uri = `mongodb://${host}:${port}/${place.database}`
  return {
    ...servers,
    uri,
    async client(options = {}, address = uri) {
      const from = options.lease ? {} : { vault: await servers.vaultOptions(), role }
      const all = { ...from, maxPoolSize: 3, ...options } as VaultMongoClientOptions
      const client = new VaultMongoClient(address, all)
      return servers.closing(client, () => client.close())
    },
    async gateway(onCommand) {
      const gateway: MongoGateway = await openMongoGateway({ host, port, onCommand })
      servers.closing(gateway, () => gateway.close())
      return { uri: `mongodb://${gateway.host}:${gateway.port}/${place.database}?directConnection=true` }
    },
    async sessions() {
      return new Map([...(await openSessions(database))].filter(([user]) => user.startsWith('v-')))
    },
    asSuperuser: (command) => database.query(JSON.stringify(command)),
  }
}

export function itemsOf(client: VaultMongoClient) {
  return client.db().collection<Item>('items')
}

export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => expectFailure(),
    (error: unknown) => error,
  )
}

function expectFailure(): never {
  throw new Error('it did not fail')
}

/** Waits until only the generation in force is left. */
export async function untilRetired({ lease }: VaultMongoClient): Promise<void> {
  await vi.waitUntil(() => lease.status().retiring.length === 0, { timeout: 10_000, interval: 10 })
}
