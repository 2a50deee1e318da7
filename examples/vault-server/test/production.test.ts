import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Ended, run } from '../../../packages/cli/test/cli.ts'
import { token, VaultPool } from '../../../packages/pg/src/index.ts'
import { type DatabaseServer, hammer, startPostgres } from '../../../packages/testing/src/index.ts'
import { temporaryFolder } from '../../../packages/testing/src/server-process.ts'
import { read } from './files.ts'
import { type ProductionCluster, startProductionCluster } from './production-cluster.ts'

describe('the production configuration, as three servers with TLS', () => {
  const folder = temporaryFolder()
  let cluster: ProductionCluster
  let database: DatabaseServer
  let pool: VaultPool

  beforeAll(async () => {
    ;[cluster, database] = await Promise.all([startProductionCluster(), startPostgres()])
    await database.query('create table items as select 1 as id')
    await database.query(read('database.sql'))
    const initial = await rootPassword()
    expect(await vaultLease('setup', setupFile(), '--yes')).toMatchObject({ code: 0 })
    expect(await rootPassword()).not.toBe(initial)
    pool = new VaultPool({
      vault: {
        address: cluster.addresses,
        tls: { caCertFile: cluster.caCertFile },
        auth: token((await cluster.command('token create -policy=app -period=24h -field=token')).trim()),
      },
      role: 'app',
      host: database.host,
      port: database.port,
      database: database.database,
      max: 4,
    })
  })
  afterAll(async () => {
    await pool?.end()
    await Promise.all([cluster?.[Symbol.asyncDispose](), database?.stop()])
    folder.remove()
  })

  /** The file of the example, with the address of this database, and users of seconds, which outlive an election. */
  function setupFile(): string {
    const { host, port, database: name } = database
    const file = join(folder.path, 'setup.yaml')
    const text = read('setup.yaml')
      .replace('db.example.com:5432/app?sslmode=verify-full', `${host}:${port}/${name}?sslmode=disable`)
      .replace('default_ttl: 1h', 'default_ttl: 15s')
      .replace('max_ttl: 24h', 'max_ttl: 20s')
    writeFileSync(file, text)
    return file
  }

  /** As the database keeps it. */
  async function rootPassword(): Promise<string | undefined> {
    const [row] = await database.query<{ rolpassword: string }>(
      `select rolpassword from pg_authid where rolname = 'vault_admin'`,
    )
    return row?.rolpassword
  }

  const vaultLease = async (...args: string[]): Promise<Ended> =>
    await run(args, {
      VAULT_ADDR: cluster.addresses[await cluster.leader()],
      VAULT_CACERT: cluster.caCertFile,
      VAULT_TOKEN: cluster.rootToken,
      POSTGRES_ADMIN_PASSWORD: 'rotated-by-vault',
    })

  it('serves a pool that loses no query while the leader dies and the root password is rotated', async () => {
    const users = new Set<string>()
    const query = async (): Promise<void> => {
      const { rows } = await pool.query<{ who: string }>('select current_user as who from items')
      users.add(String(rows[0]?.who))
    }
    const end = new AbortController()
    onTestFinished(() => end.abort())
    const work = hammer({
      run: { query },
      workers: 5,
      thinkMs: 10,
      until: new Promise((resolve) => end.signal.addEventListener('abort', resolve)),
    })
    const nextUser = async (): Promise<void> => {
      const known = users.size
      await vi.waitFor(() => expect(users.size).toBeGreaterThan(known), { timeout: 60_000, interval: 100 })
    }
    await nextUser()
    const before = await cluster.leader()
    await cluster.kill(before)
    expect(await cluster.leader()).not.toBe(before)
    await nextUser()
    const password = await rootPassword()
    await cluster.command('write -force database/rotate-root/postgres')
    expect(await rootPassword()).not.toBe(password)
    await nextUser()
    end.abort()
    const { failures, queries } = await work
    expect(failures).toEqual({})
    expect(queries).toBeGreaterThan(1_000)
  })

  it('writes down who got which user', async () => {
    const { code, stdout } = await run(['audit', '--json', cluster.auditFile])
    expect(code).toBe(0)
    const { users, brokenLines } = JSON.parse(stdout)
    expect(brokenLines).toBe(0)
    expect(users.length).toBeGreaterThanOrEqual(3)
    expect(new Set(users.map(({ role }: { role: string }) => role))).toEqual(new Set(['app']))
  })

  it('tells its metrics to who has a token for them, and to nobody else', async () => {
    const scraper = (await cluster.command('token create -policy=metrics -period=24h -field=token')).trim()
    const { status, text } = await metrics(scraper)
    expect(status).toBe(200)
    for (const name of ['vault_core_unsealed', 'vault_expire_num_leases', 'vault_database_NewUser'])
      expect(text).toMatch(new RegExp(`^${name}[ {_]`, 'm'))
    expect((await metrics('')).status).toBe(403)
  })

  async function metrics(token: string): Promise<{ status: number | undefined; text: string }> {
    const address = cluster.addresses[await cluster.leader()]
    return await new Promise((resolve, reject) => {
      request(
        `${address}/v1/sys/metrics?format=prometheus`,
        { ca: readFileSync(cluster.caCertFile), headers: { 'X-Vault-Token': token } },
        async (response) => {
          const chunks: Buffer[] = []
          for await (const chunk of response) chunks.push(chunk)
          resolve({ status: response.statusCode, text: Buffer.concat(chunks).toString() })
        },
      )
        .on('error', reject)
        .end()
    })
  }
})
