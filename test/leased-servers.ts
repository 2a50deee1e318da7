import {
  createLease,
  type LeaseManager,
  type LeaseOptions,
  token,
  type VaultOptions,
} from '@vault-lease/core'
import { type DatabaseServer, type Servers, type ServersOptions, startServers } from '@vault-lease/testing'

export type Place = Pick<DatabaseServer, 'host' | 'port' | 'database'>

/** Real servers with a role, leases on it, and whatever a test opens there, which is closed together. */
export interface LeasedServers extends Servers {
  readonly role: string
  readonly place: Place
  vaultOptions(): Promise<VaultOptions>
  /** A lease that a test can look at. */
  lease(options?: LeaseOptions): Promise<LeaseManager>
  /** Has `endAll()` close what was opened, before what was opened earlier. */
  closing<Opened>(opened: Opened, close: (opened: Opened) => unknown): Opened
  /** What was opened since is closed, and nothing is left. */
  endAll(): Promise<void>
  /** What a process of its own needs to find the servers. */
  environment(): Promise<NodeJS.ProcessEnv>
}

const placeVariables: Readonly<Record<DatabaseServer['kind'], (place: Place) => NodeJS.ProcessEnv>> = {
  postgresql: ({ host, port, database }) => ({ PGHOST: host, PGPORT: String(port), PGDATABASE: database }),
  mysql: ({ host, port, database }) => ({ DB_HOST: host, DB_PORT: String(port), DB_NAME: database }),
  mongodb: ({ host, port, database }) => ({ MONGODB_URI: `mongodb://${host}:${port}/${database}` }),
  redis: ({ host, port, database }) => ({ REDIS_URL: `redis://${host}:${port}/${database}` }),
}

const role = 'app'

export async function startLeasedServers(options: ServersOptions): Promise<LeasedServers> {
  const servers = await startServers(options)
  const { vault, engine } = servers
  await engine.role(role, { ttl: '60s', maxTtl: '10m' })
  const { host, port, database, kind } = servers.database
  const place = { host, port, database }
  const opened: (() => unknown)[] = []
  const vaultOptions = async (): Promise<VaultOptions> => ({
    address: vault.address,
    auth: token(await engine.createToken()),
    timeoutMs: 2_000,
  })
  const closing: LeasedServers['closing'] = (each, close) => {
    opened.push(() => close(each))
    return each
  }
  return {
    ...servers,
    role,
    place,
    vaultOptions,
    closing,
    async lease(options) {
      const lease = createLease({ vault: await vaultOptions(), role, ...options } as LeaseOptions)
      return closing(lease, () => lease.close())
    },
    async endAll() {
      for (const close of opened.splice(0).toReversed()) await close()
      const left = await engine.users()
      if (left.length > 0) throw new Error(`${left.length} database users are left`)
    },
    async environment() {
      return {
        PATH: process.env['PATH'],
        VAULT_ADDR: vault.address,
        VAULT_TOKEN: await engine.createToken(),
        VAULT_DB_ROLE: role,
        ...placeVariables[kind](place),
      }
    },
  }
}
