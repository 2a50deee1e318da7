import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { specifiersIn } from './imports.ts'

const run = promisify(execFile)
const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

/** A folder in which Node finds the package and its peers by its name, without the source condition. */
const places = {
  '@vault-lease/core': 'packages/knex',
  '@vault-lease/core/adapter': 'packages/knex',
  '@vault-lease/pg': 'packages/knex',
  '@vault-lease/pg/adapter': 'packages/knex',
  '@vault-lease/knex': 'examples/knex-postgres',
  '@vault-lease/knex/adapter': 'packages/mikro-orm',
  '@vault-lease/mysql2': 'examples/mysql2-express',
  '@vault-lease/mysql2/promise': 'examples/mysql2-express',
  '@vault-lease/mysql2/adapter': 'packages/knex',
  '@vault-lease/postgres': 'test',
  '@vault-lease/typeorm': 'examples/typeorm-postgres',
  '@vault-lease/sequelize': 'examples/sequelize-express',
  '@vault-lease/mariadb/adapter': 'packages/sequelize',
  '@vault-lease/mikro-orm': 'test',
  '@vault-lease/prisma': 'examples/prisma-postgres',
  '@vault-lease/mongodb': 'examples/mongodb-driver',
  '@vault-lease/mongodb/adapter': 'packages/mongoose',
  '@vault-lease/mongoose': 'examples/mongoose-express',
  '@vault-lease/redis': 'test',
  '@vault-lease/metrics/prometheus': 'test',
  '@vault-lease/metrics/opentelemetry': 'test',
  '@vault-lease/iam': 'test',
  '@vault-lease/testing': 'test',
} as const

/** A lease of core as ESM, given to an adapter as CommonJS. */
const leaseOfOtherFormat = `
  import { createRequire } from 'node:module'
  import { createLease } from '@vault-lease/core'
  const { VaultPool, LeaseManager } = createRequire(import.meta.url)('@vault-lease/pg')
  const lease = createLease({ credential: async () => ({ username: 'u', password: 'p' }) })
  const pool = new VaultPool({ lease, host: '127.0.0.1', port: 1, database: 'app' })
  const { code, cause } = await pool.query('select 1').catch((error) => error)
  await pool.end()
  await lease.close()
  console.log(JSON.stringify({ isLease: lease instanceof LeaseManager, code, cause: cause.code, state: lease.status().state }))
`

/** Core as ESM and as CommonJS in one process: the errors and the Vault of the one are given to the other. */
const bothFormats = `
  import { createRequire } from 'node:module'
  import * as esm from '@vault-lease/core'
  const cjs = createRequire(import.meta.url)('@vault-lease/core')
  const error = (() => { try { esm.createVault({ adress: '' }) } catch (error) { return error } })()
  const InvalidOptionError = [cjs.VaultLeaseError, cjs.InvalidOptionError, cjs.VaultError].map((each) => error instanceof each)
  const vault = cjs.createVault({ address: 'http://127.0.0.1', auth: cjs.token('t') })
  await vault.close()
  const lease = esm.createLease({ role: 'app', vault })
  const ofVault = []
  lease.once('failed', ({ error }) => ofVault.push(error.code, error instanceof esm.VaultError))
  await lease.ready().catch(() => {})
  await lease.close()
  console.log(JSON.stringify({ InvalidOptionError, ofVault }))
`

/** A credential from a Vault that is no more than its answers. */
const credentialOfVault = `
  import { createServer } from 'node:http'
  import { createRequire } from 'node:module'
  import * as esm from '@vault-lease/core'
  const answers = {
    '/v1/auth/token/lookup-self': { data: { ttl: 0, creation_ttl: 0, renewable: false } },
    '/v1/database/creds/app': { lease_id: 'l', lease_duration: 60, renewable: true, data: { username: 'u', password: 'p' } },
  }
  const server = createServer((request, response) => response.end(JSON.stringify(answers[request.url] ?? {})))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const usernames = []
  for (const { createLease, token } of [esm, createRequire(import.meta.url)('@vault-lease/core')]) {
    const vault = { address: 'http://127.0.0.1:' + server.address().port, auth: token('t') }
    const lease = createLease({ role: 'app', vault })
    usernames.push((await lease.credential()).username)
    await lease.close()
  }
  server.close()
  console.log(JSON.stringify(usernames))
`

// Which `npm test` has built.
describe('the built packages', () => {
  it.each(Object.entries(places))(
    '%s loads as ESM and as CommonJS, with the same exports',
    async (name, place) => {
      const cwd = join(root, place)
      const names = 'console.log(JSON.stringify(Object.keys(m).filter((key) => key !== "default").sort()))'
      const load = async (...args: string[]): Promise<string[]> =>
        JSON.parse((await run(process.execPath, args, { cwd })).stdout)
      const esm = await load('--input-type=module', '-e', `const m = await import("${name}"); ${names}`)
      const cjs = await load('--input-type=commonjs', '-e', `const m = require("${name}"); ${names}`)
      expect(cjs).toEqual(esm)
      expect(esm).toEqual(Object.keys(await import(name)).sort())
      expect(esm.length).toBeGreaterThan(0)
    },
  )

  it('know the errors and the Vaults of core in its other format', async () => {
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', bothFormats], {
      cwd: join(root, places['@vault-lease/core']),
    })
    expect(JSON.parse(stdout)).toEqual({
      InvalidOptionError: [true, true, false],
      ofVault: ['ERR_VAULT_CLOSED', true],
    })
  })

  it('have everything that core needs built into it, and nothing that a bundler cannot follow', async () => {
    const dist = join(root, 'packages/core/dist')
    const modules = readdirSync(dist).filter((name) => name.endsWith('.js'))
    const programs = modules.map((name) => readFileSync(join(dist, name), 'utf8'))
    const imported = programs.flatMap(specifiersIn).filter((name) => !/^(node:|\.)/.test(name))
    expect(imported).toEqual([])
    expect(programs.join('\n')).not.toMatch(/createRequire|import\.meta/)
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', credentialOfVault], {
      cwd: join(root, places['@vault-lease/core']),
      env: {},
    })
    expect(JSON.parse(stdout)).toEqual(['u', 'u'])
  })

  it('have a notice of whatever is built into core, and of nothing else', () => {
    const core = join(root, 'packages/core')
    const maps = readdirSync(join(core, 'dist')).filter((name) => name.endsWith('.map'))
    const sources = maps.flatMap(
      (name): string[] => JSON.parse(readFileSync(join(core, 'dist', name), 'utf8')).sources,
    )
    const builtIn = sources.flatMap(
      (path) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? [],
    )
    const notices = readFileSync(join(core, 'THIRD-PARTY.md'), 'utf8').matchAll(/^## (.+)$/gm)
    expect(Array.from(notices, ([, name]) => name).sort()).toEqual([...new Set(builtIn)].sort())
  })

  it('take a lease of core in its other format', async () => {
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', leaseOfOtherFormat], {
      cwd: join(root, places['@vault-lease/pg']),
    })
    expect(JSON.parse(stdout)).toEqual({
      isLease: true,
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      cause: 'ERR_CREDENTIAL_NOT_PROVEN',
      state: 'closed',
    })
  })

  it.each([
    'core',
    'pg',
    'postgres',
    'mysql2',
    'mongodb',
    'knex',
    'typeorm',
    'sequelize',
    'mikro-orm',
    'mariadb',
    'prisma',
    'mongoose',
    'redis',
    'metrics',
    'testing',
  ])('%s publishes what its exports name, and no test', async (folder) => {
    const cwd = join(root, 'packages', folder)
    const { stdout } = await run('npm', ['pack', '--dry-run', '--json'], { cwd })
    const [{ files }]: [{ files: { path: string }[] }] = JSON.parse(stdout)
    const paths = files.map(({ path }) => path)
    const manifest = readFileSync(join(cwd, 'package.json'), 'utf8')
    const named = Array.from(manifest.matchAll(/"\.\/((?:dist|src)\/[^"]+)"/g), ([, path = '']) => path)
    expect(paths).toEqual(expect.arrayContaining([...new Set(named)]))
    expect(paths).toContain('README.md')
    expect(paths).toContain('LICENSE')
    expect(paths.filter((path) => path.includes('test/'))).toEqual([])
  })
})
