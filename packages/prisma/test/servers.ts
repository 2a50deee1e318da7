import type { AdapterOptions, LeaseManager } from '@vault-lease/core'
import type { DatabaseServerOptions } from '@vault-lease/testing'
import { type LeasedServers, type Place, startLeasedServers } from '../../../test/leased-servers.ts'
import { type VaultAdapterOptions, vaultAdapter } from '../src/vault-adapter.ts'
import { PrismaClient as MySqlClient } from './generated/mysql/client.ts'
import { type Prisma, PrismaClient } from './generated/postgresql/client.ts'

export type Provider = VaultAdapterOptions['provider']

/** The options that a test may add. */
export type Options = AdapterOptions

/** What differs between databases. */
interface Dialect {
  readonly schema: readonly string[]
  readonly sessionUser: string
  /** A statement that takes 30 seconds. */
  readonly slow: string
  adapter(options: Options, place: Place): ReturnType<typeof vaultAdapter>
  client(options: Prisma.PrismaClientOptionsWithAdapter): PrismaClient
}

/** The most connections of each client. */
export const max = 3

const dialects: Readonly<Record<Provider, Dialect>> = {
  postgresql: {
    schema: [
      'create table authors (id serial primary key, name text unique)',
      'create table books (id serial primary key, title text, author_id int references authors)',
    ],
    sessionUser: 'session_user',
    slow: 'select 1 from pg_sleep(30)',
    adapter: (options, place) => vaultAdapter({ provider: 'postgresql', ...options, ...place, max }),
    client: (options) => new PrismaClient(options),
  },
  mysql: {
    schema: [
      'create table authors (id int primary key auto_increment, name varchar(40) unique)',
      `create table books (id int primary key auto_increment, title varchar(40), author_id int,
        foreign key (author_id) references authors (id))`,
    ],
    sessionUser: `substring_index(session_user(), '@', 1)`,
    slow: 'select sleep(30)',
    adapter: (options, place) =>
      vaultAdapter({ provider: 'mysql', ...options, ...place, connectionLimit: max, acquireTimeout: 5_000 }),
    // The two clients differ in filters that no test uses.
    client: (options) => new MySqlClient(options) as unknown as PrismaClient,
  },
}

/** A real Vault and a real database with two tables, and clients on them. */
export interface Servers extends LeasedServers {
  readonly slow: string
  /** A lease whose role has this TTL. */
  leaseOf(ttl: string): Promise<LeaseManager>
  adapter(options?: Options): Promise<ReturnType<typeof vaultAdapter>>
  /** @param way where the database is, if not where it is. */
  client(options?: Options, way?: Partial<Place>): Promise<PrismaClient>
  userOf(db: Pick<PrismaClient, '$queryRawUnsafe'>): Promise<string>
}

export async function startServers(
  provider: Provider,
  database: DatabaseServerOptions = {},
): Promise<Servers> {
  const { schema, sessionUser, slow, adapter: adapterOn, client: clientOn } = dialects[provider]
  const servers = await startLeasedServers({
    kind: provider,
    vault: { storage: 'raft' },
    database,
    schema,
  })
  const { role, place } = servers
  const adapter = async (
    options?: Options,
    way: Partial<Place> = {},
  ): Promise<ReturnType<typeof vaultAdapter>> =>
    adapterOn(options ?? { vault: await servers.vaultOptions(), role }, { ...place, ...way })
  return {
    ...servers,
    slow,
    adapter,
    async leaseOf(ttl) {
      await servers.engine.role('short', { ttl, maxTtl: ttl })
      return await servers.lease({ role: 'short' })
    },
    async client(options, way) {
      const client = clientOn({
        adapter: await adapter(options, way),
        transactionOptions: { timeout: 60_000 },
      })
      return servers.closing(client, () => client.$disconnect())
    },
    async userOf(db) {
      const rows = await db.$queryRawUnsafe<{ user: string }[]>(`select ${sessionUser} as user`)
      return rows[0]?.user ?? ''
    },
  }
}
