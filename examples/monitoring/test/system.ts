import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Prometheus, type Servers, startPrometheus, startServers } from '@vault-lease/testing'
import { expect, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import { addressOf, runScript } from '../../../test/examples/service.ts'
import { faster } from './faster.ts'

const example = fileURLToPath(new URL('..', import.meta.url))
const ruleFiles = ['vault-lease.rules.yml', 'vault-server.rules.yml']

/** A Vault with a database, as Prometheus calls it. */
export interface System extends Servers {
  readonly instance: string
  readonly auditFolder: string
  /** Starts the service of this example. Resolves with its address. */
  service(env?: Readonly<Record<string, string>>): Promise<Service>
}

export interface Service {
  readonly address: string
  readonly instance: string
}

/** Servers, services on them and a Prometheus that watches all of it, which are ended together. */
export class Systems {
  readonly #folder = mkdtempSync(join(tmpdir(), 'monitoring-'))
  readonly #children: ChildProcess[] = []
  readonly #systems: System[] = []
  readonly #services: Service[] = []
  #prometheus: Prometheus | undefined

  async start(): Promise<System> {
    const auditFolder = mkdtempSync(join(this.#folder, 'audit-'))
    const schema = [
      'create table users (id serial primary key, name text not null)',
      "insert into users (name) select 'user ' || n from generate_series(1, 50) n",
      'create database reports',
    ]
    const vault = { auditFile: join(auditFolder, 'audit.log') }
    const servers = await startServers({ kind: 'postgresql', vault, schema })
    const { database, engine } = servers
    await engine.role('app', { ttl: '12s', maxTtl: '36s' })
    const system: System = {
      ...servers,
      auditFolder,
      instance: new URL(servers.vault.address).host,
      service: async (env = {}) => {
        const child = runScript(example, 'start', {
          HOST: '127.0.0.1',
          PORT: '0',
          PGHOST: database.host,
          PGPORT: String(database.port),
          PGDATABASE: database.database,
          VAULT_ADDR: servers.vault.address,
          VAULT_TOKEN: await engine.createToken(),
          VAULT_DB_ROLE: 'app',
          ...env,
        })
        this.#children.push(child)
        const address = await addressOf(child)
        child.stdout?.resume()
        const service = { address, instance: new URL(address).host }
        this.#services.push(service)
        return service
      },
    }
    this.#systems.push(system)
    return system
  }

  /** The configuration that ships, with the addresses of these, and faster. Resolves when everything was scraped once. */
  async watch(): Promise<Prometheus> {
    const file = (name: string): string => readFileSync(join(example, 'prometheus', name), 'utf8')
    for (const name of ruleFiles) writeFileSync(join(this.#folder, name), faster(file(name)))
    const config = parse(faster(file('prometheus.yml')))
    const [app, vault] = config.scrape_configs
    app.static_configs[0].targets = this.#services.map(({ instance }) => instance)
    vault.static_configs[0].targets = this.#systems.map(({ instance }) => instance)
    vault.scheme = 'http'
    delete vault.tls_config
    // Each server has a token of its own: the tests read without.
    delete vault.authorization
    const path = join(this.#folder, 'prometheus.yml')
    writeFileSync(path, stringify(config))
    const prometheus = await startPrometheus(path)
    this.#prometheus = prometheus
    const targets = this.#services.length + this.#systems.length
    await vi.waitFor(async () => expect(await prometheus.query('up == 1')).toHaveLength(targets), 30_000)
    return prometheus
  }

  async stop(): Promise<void> {
    await this.#prometheus?.stop()
    for (const child of this.#children) child.kill('SIGKILL')
    await Promise.all(this.#systems.map((system) => system.stop()))
    rmSync(this.#folder, { recursive: true })
  }
}
