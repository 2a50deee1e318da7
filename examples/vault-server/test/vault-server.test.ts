import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { type Ended, run } from '../../../packages/cli/test/cli.ts'
import { token, VaultPool } from '../../../packages/pg/src/index.ts'
import { findVault } from '../../../packages/testing/src/binaries.ts'
import { builtByGo } from '../../../packages/testing/src/built-by-go.ts'
import {
  type Connection,
  type DatabaseServer,
  hammer,
  startMariaDb,
  startPostgres,
  startServers,
} from '../../../packages/testing/src/index.ts'
import { freePort, ServerProcess, temporaryFolder } from '../../../packages/testing/src/server-process.ts'
import { missing } from '../../../test/unless-missing.ts'
import {
  example,
  filledIn,
  type ProductionCluster,
  startProductionCluster,
  variablesIn,
} from './production-cluster.ts'

const read = (file: string): string => readFileSync(join(example, file), 'utf8')

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

describe('the other files', () => {
  it.each(['production.hcl', 'production-consul.hcl', 'audit.hcl'])(
    '%s has a value for each name',
    (file) => {
      expect(filledIn(read(file), variablesIn(read('node.env')))).not.toContain('$')
    },
  )

  it('node.env has no name that nothing uses', () => {
    const all = read('production.hcl') + read('audit.hcl')
    for (const name of Object.keys(variablesIn(read('node.env')))) expect(all).toContain(`\${${name}}`)
  })

  it('production-consul.hcl is understood up to the storage, which OpenBao does not have', async () => {
    const folder = temporaryFolder()
    const config = join(folder.path, 'server.hcl')
    writeFileSync(config, filledIn(read('production-consul.hcl'), variablesIn(read('node.env'))))
    const starting = promisify(execFile)(await findVault(), ['server', `-config=${config}`])
    const { stdout, stderr } = await starting.catch((error: { stdout: string; stderr: string }) => error)
    folder.remove()
    expect(stdout + stderr).toMatch(/unknown storage type consul|dial tcp 127\.0\.0\.1:8500/)
  })

  it('a server in development mode takes its audit device by the API, where that is allowed', async () => {
    const enable = 'audit enable file file_path=/var/log/vault/audit.log'
    expect(read('README.md')).toContain(enable)
    await inDevelopmentMode('unsafe_allow_api_audit_creation = true\n', async (cli, folder) => {
      const audit = join(folder, 'audit.log')
      await cli(...enable.replace('/var/log/vault/audit.log', audit).split(' '))
      await cli('secrets', 'enable', 'database')
      expect(readFileSync(audit, 'utf8')).toContain('"path":"sys/mounts/database"')
    })
  })

  it('a server in development mode takes audit.hcl, and vault-lease audit reads what it writes', async () => {
    const config = (folder: string) => filledIn(read('audit.hcl'), { AUDIT_DIR: folder })
    await inDevelopmentMode(config, async (cli, folder, env) => {
      await cli('secrets', 'enable', 'database')
      const { code, stdout, stderr } = await run(['audit', join(folder, 'audit.log')], env)
      expect({ code, stdout }, stderr).toEqual({ code: 0, stdout: 'Nobody got a database user.\n' })
    })
  })
})

type Cli = (...args: string[]) => Promise<{ readonly stdout: string }>

/** Starts a server as README.md says, beside a configuration, for as long as `use` takes. */
async function inDevelopmentMode(
  config: string | ((folder: string) => string),
  use: (cli: Cli, folder: string, env: Record<string, string>) => Promise<void>,
): Promise<void> {
  const folder = temporaryFolder()
  const command = await findVault()
  const listen = `127.0.0.1:${await freePort()}`
  const file = join(folder.path, 'config.hcl')
  writeFileSync(file, typeof config === 'string' ? config : config(folder.path))
  const address = { VAULT_ADDR: `http://${listen}`, BAO_ADDR: `http://${listen}` }
  const env = { HOME: folder.path, ...address, VAULT_TOKEN: 'root', BAO_TOKEN: 'root' }
  const cli: Cli = (...args) =>
    promisify(execFile)(command, args, { env: { PATH: process.env['PATH'], ...env } })
  const dev = 'server -dev -dev-root-token-id=root'
  expect(read('README.md')).toContain(dev)
  const server = await ServerProcess.start({
    name: 'dev',
    command,
    args: [...dev.split(' '), `-dev-listen-address=${listen}`, `-config=${file}`],
    folder: folder.path,
    ready: () => cli('status'),
  })
  try {
    await use(cli, folder.path, env)
  } finally {
    await server.stop('SIGKILL')
    folder.remove()
  }
}

const compose = join(example, 'compose')
const lacking = await missing(() =>
  builtByGo('compose-check', fileURLToPath(new URL('compose', import.meta.url))),
)

describe.skipIf(lacking !== undefined)('the compose file', () => {
  it('is taken by the loader of Docker Compose, strictly', async () => {
    const check = await builtByGo('compose-check', fileURLToPath(new URL('compose', import.meta.url)))
    const checked = (file: string) => promisify(execFile)(check, [file])
    const { stdout, stderr } = await checked(join(compose, 'compose.yaml'))
    expect(stderr).toBe('')
    const { services } = JSON.parse(stdout)
    expect(Object.keys(services).sort()).toEqual(['mongodb', 'mysql', 'openbao', 'postgres', 'vault'])
    for (const service of Object.values<{ image: string; ports: { host_ip: string }[]; healthcheck: object }>(
      services,
    )) {
      expect(service.image).toMatch(/:\d+(\.\d+)+$/)
      expect(service.ports.map(({ host_ip }) => host_ip)).toEqual(['127.0.0.1'])
      expect(service.healthcheck).toBeDefined()
    }
    const folder = temporaryFolder()
    const wrong = join(folder.path, 'compose.yaml')
    writeFileSync(
      wrong,
      readFileSync(join(compose, 'compose.yaml'), 'utf8').replace('healthcheck:', 'healthchek:'),
    )
    await expect(checked(wrong)).rejects.toMatchObject({ stderr: expect.stringContaining('healthchek') })
    folder.remove()
  })
})

it('the setup file beside it gives users of all three databases', async () => {
  const [mongo, postgres, mysql] = await Promise.all([
    startServers({ kind: 'mongodb' }),
    startPostgres(),
    startMariaDb(),
  ])
  const folder = temporaryFolder()
  const { vault } = mongo
  await vault.must('DELETE', 'sys/mounts/database')
  try {
    const services = { postgres, mysql, mongodb: mongo.database }
    const file = join(folder.path, 'setup.yaml')
    writeFileSync(file, Object.entries(services).reduce(onThisMachine, read('compose/setup.yaml')))
    const { code, stderr } = await run(['setup', file], {
      VAULT_ADDR: vault.address,
      VAULT_TOKEN: vault.token,
      postgres: postgres.superuser.password,
      mysql: mysql.superuser.password,
      mongodb: mongo.database.superuser.password,
    })
    expect({ code, stderr }).toMatchObject({ code: 0 })
    for (const path of ['database/creds/app', 'database/creds/app-mysql', 'mongodb/creds/app'])
      expect((await vault.must('GET', path)).body.data.username).toMatch(/^v-/)
  } finally {
    await Promise.all([mongo.stop(), postgres.stop(), mysql.stop()])
    folder.remove()
  }
})

/** The address and the superuser of a service of compose.yaml, whose password is in a variable of that name. */
function onThisMachine(text: string, [service, server]: readonly [string, Connection]): string {
  const { host, port, superuser } = server
  return text
    .replace(new RegExp(`([@(])${service}:\\d+`), `$1${host}:${port}`)
    .replace(
      /username: \w+\n( +)password_env: DEV_PASSWORD/,
      `username: ${superuser.user}\n$1password_env: ${service}`,
    )
}
