import { existsSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AuthMethod, appRole, type VaultOptions } from '@vault-lease/core'
import {
  type Connection,
  type DatabaseEngine,
  type DatabaseServer,
  databaseEngine,
  type FaultProxy,
  openFaultProxy,
  type PostgresPair,
  startMariaDb,
  startMongo,
  startPostgres,
  startPostgresPair,
  startRedis,
  startVault,
  startVaultCluster,
  type VaultApi,
  type VaultCluster,
  type VaultServer,
} from '@vault-lease/testing'
import { generate } from 'selfsigned'
import { schemas } from '../subjects/subject.ts'
import type { Kind } from './fault.ts'

/** A database, and the engine that makes users of it. */
export interface Database {
  readonly server: Connection
  readonly engine: DatabaseEngine
  /** How applications come to it, and nobody else; not given in `pair`, which has a way of its own. */
  readonly way?: FaultProxy
}

/** How an application comes to Vault. */
export type Access = VaultOptions & { readonly auth: AuthMethod }

/** Servers, and the way from applications to them. */
export interface World extends AsyncDisposable {
  readonly databases: ReadonlyMap<Kind, Database>
  /** How an application of this database comes to Vault, with a login of its own. */
  access(database: Database): Promise<Access>
  readonly api: VaultApi
  /** Given in `single` and `pair`. */
  readonly vault?: VaultServer
  readonly proxy?: FaultProxy
  readonly audit?: AuditFile
  /** Given in `single`. */
  readonly servers?: ReadonlyMap<Kind, DatabaseServer>
  /** Given in `cluster`. */
  readonly cluster?: VaultCluster
  /** Given in `pair`. */
  readonly pair?: PostgresPair
}

/** `single`: one Vault and databases, each behind a proxy; `cluster`: three of them; `pair`: one Vault, and two PostgreSQL that fail over. */
export type WorldName = 'single' | 'cluster' | 'pair'

const kinds: readonly Kind[] = ['postgresql', 'mysql', 'mongodb', 'redis']
const starts = { postgresql: startPostgres, mysql: startMariaDb, mongodb: startMongo, redis: startRedis }
const timeoutMs = 5_000

export const makeWorld: Readonly<Record<WorldName, (databases: readonly Kind[]) => Promise<World>>> = {
  single: async (databases) => {
    const [one, servers] = await Promise.all([oneVault(), startDatabases(databases)])
    const { vault, proxy, audit } = one
    return await world(one, servers, { vault, proxy, audit, servers })
  },
  async pair() {
    const [one, pair] = await Promise.all([oneVault(), startPostgresPair()])
    const { vault, proxy, audit } = one
    return await world(one, new Map([['postgresql', pair]]), { vault, proxy, audit, pair })
  },
  async cluster(databases) {
    const [many, servers] = await Promise.all([manyVaults(), startDatabases(databases)])
    return await world(many, servers, { cluster: many.cluster })
  },
}

export function allKinds(): readonly Kind[] {
  return kinds
}

/** Vault, whatever it consists of, and the way to it. */
interface Vaults extends AsyncDisposable {
  readonly api: VaultApi
  readonly access: VaultOptions
}

async function world(
  vaults: Vaults,
  servers: ReadonlyMap<Kind, Connection & AsyncDisposable>,
  parts: Partial<World>,
): Promise<World> {
  const databases = new Map<Kind, Database>()
  for (const [kind, server] of servers) {
    for (const statement of schemas[kind]) await server.query(statement)
    const engine = await databaseEngine(vaults.api, server, { mount: kind })
    databases.set(kind, { server, engine, ...(!parts.pair && { way: await openFaultProxy(server) }) })
  }
  return {
    ...parts,
    databases,
    api: vaults.api,
    async access({ engine }) {
      return { ...vaults.access, timeoutMs, auth: appRole(await engine.createAppRole()) }
    },
    async [Symbol.asyncDispose]() {
      for (const { engine, way } of databases.values()) {
        await way?.[Symbol.asyncDispose]()
        await engine.close()
      }
      await vaults[Symbol.asyncDispose]()
      for (const server of servers.values()) await server[Symbol.asyncDispose]()
    },
  }
}

async function startDatabases(databases: readonly Kind[]): Promise<ReadonlyMap<Kind, DatabaseServer>> {
  const started = await Promise.all(
    databases.map(async (kind) => [kind, await starts[kind]({ maxConnections: 150 })] as const),
  )
  return new Map(started)
}

async function oneVault(): Promise<Vaults & { vault: VaultServer; proxy: FaultProxy; audit: AuditFile }> {
  const audit = new AuditFile()
  const vault = await startVault({ storage: 'raft', auditFile: audit.path })
  const { hostname: host, port } = new URL(vault.address)
  const proxy = await openFaultProxy({ host, port: Number(port) })
  return {
    vault,
    proxy,
    audit,
    api: vault,
    access: { address: `http://${proxy.host}:${proxy.port}` },
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]()
      await vault.stop()
      audit.remove()
    },
  }
}

async function manyVaults(): Promise<Vaults & { cluster: VaultCluster }> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'vault' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
  })
  const cluster = await startVaultCluster({ tls: { cert, key } })
  return {
    cluster,
    api: cluster,
    access: { address: cluster.addresses, tls: { caCert: cert } },
    [Symbol.asyncDispose]: () => cluster.stop(),
  }
}

/** Where Vault writes its audit: a link that leads to a file, or to a disk that is full. */
class AuditFile {
  readonly #folder = mkdtempSync(join(tmpdir(), 'vault-lease-audit-'))
  readonly path: string = join(this.#folder, 'audit.log')

  constructor() {
    writeFileSync(join(this.#folder, 'file'), '')
    this.lead('file')
  }

  /** Vault notices when it opens the file again. */
  lead(to: 'file' | 'full disk'): void {
    if (existsSync(this.path)) rmSync(this.path)
    symlinkSync(to === 'file' ? join(this.#folder, 'file') : '/dev/full', this.path)
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true })
  }
}
