import {
  type AdapterOptions,
  createLease,
  type LeaseManager,
  type RotationOptions,
  token,
  type VaultOptions,
} from '@vault-lease/core'
import { startServers as start, type Servers as TestServers } from '@vault-lease/testing'
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

interface Place {
  readonly host: string
  readonly port: number
  readonly database: string
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

/** A real Vault and a real database with two tables, and clients on them that are disconnected together. */
export interface Servers extends TestServers {
  readonly slow: string
  readonly place: Place
  vaultOptions(): Promise<VaultOptions>
  lease(ttl?: string, rotation?: RotationOptions): Promise<LeaseManager>
  adapter(options?: Options): Promise<ReturnType<typeof vaultAdapter>>
  client(options?: Options): Promise<PrismaClient>
  userOf(db: Pick<PrismaClient, '$queryRawUnsafe'>): Promise<string>
  /** What was opened since is closed, and nothing is left. */
  endAll(): Promise<void>
}

export async function startServers(provider: Provider): Promise<Servers> {
  const { schema, sessionUser, slow, adapter: adapterOn, client: clientOn } = dialects[provider]
  const servers = await start({ kind: provider, vault: { storage: 'raft' }, schema })
  const { vault, engine } = servers
  const { host, port, database } = servers.database
  const place = { host, port, database }
  const clients: PrismaClient[] = []
  const leases: LeaseManager[] = []
  const vaultOptions = async (): Promise<VaultOptions> => ({
    address: vault.address,
    auth: token(await engine.createToken()),
    timeoutMs: 2_000,
  })
  const role = (ttl: string): Promise<void> => engine.role('app', { ttl, maxTtl: ttl })
  const ownLease = async (): Promise<Options> => {
    await role('60s')
    return { vault: await vaultOptions(), role: 'app' }
  }
  const adapter = async (options?: Options): Promise<ReturnType<typeof vaultAdapter>> =>
    adapterOn(options ?? (await ownLease()), place)
  return {
    ...servers,
    slow,
    place,
    vaultOptions,
    adapter,
    async lease(ttl = '60s', rotation = {}) {
      await role(ttl)
      const lease = createLease({ vault: await vaultOptions(), role: 'app', rotation })
      leases.push(lease)
      return lease
    },
    async client(options) {
      const client = clientOn({ adapter: await adapter(options), transactionOptions: { timeout: 60_000 } })
      clients.push(client)
      return client
    },
    async userOf(db) {
      const rows = await db.$queryRawUnsafe<{ user: string }[]>(`select ${sessionUser} as user`)
      return rows[0]?.user ?? ''
    },
    async endAll() {
      for (const client of clients.splice(0)) await client.$disconnect()
      for (const lease of leases.splice(0)) await lease.close()
      const left = await engine.users()
      if (left.length > 0) throw new Error(`${left.length} database users are left`)
    },
  }
}
