import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type DatabaseEngine,
  type DatabaseServer,
  databaseEngine,
  hammer,
  startPostgres,
  startVault,
  type VaultServer,
  watchSessions,
} from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { addressOf, call, exitCodeOf, runScript } from './service.ts'

const setup = (file: string): string => readFileSync(new URL(`../setup/${file}`, import.meta.url), 'utf8')

describe('the knex example', () => {
  const secrets = mkdtempSync(join(tmpdir(), 'example-'))
  let postgres: DatabaseServer
  let vault: VaultServer
  let engine: DatabaseEngine
  let place: Record<string, string>
  let service: ChildProcess
  let address: string

  beforeAll(async () => {
    const servers = await Promise.all([startPostgres(), startVault()])
    postgres = servers[0]
    vault = servers[1]
    await postgres.query(setup('database.sql'))
    engine = await databaseEngine(vault, postgres)
    await engine.role('app', { ttl: '2s', maxTtl: '4s', creationStatements: [setup('app.sql')] })
    await engine.role('app-migrate', {
      ttl: '1m',
      maxTtl: '5m',
      creationStatements: [setup('app-migrate.sql')],
    })
    place = {
      PGHOST: postgres.host,
      PGPORT: String(postgres.port),
      PGDATABASE: postgres.database,
      VAULT_ADDR: vault.address,
    }
  })
  afterAll(async () => {
    service?.kill('SIGKILL')
    await Promise.all([postgres?.stop(), vault?.stop()])
    rmSync(secrets, { recursive: true })
  })

  it('migrates as a user that comes from Vault, owns nothing, and is gone afterwards', async () => {
    const env = { ...place, VAULT_TOKEN: await engine.createToken(), VAULT_DB_ROLE: 'app-migrate' }
    expect(await exitCodeOf(runScript('migrate', env))).toBe(0)
    const owners = await postgres.query(
      `select distinct tableowner from pg_tables where schemaname = 'public'`,
    )
    expect(owners).toEqual([{ tableowner: 'app_owner' }])
    expect(await engine.users()).toEqual([])
    expect(await engine.leases('app-migrate')).toEqual([])
  })

  it('starts with an AppRole and answers each mistake of a client with its own status', async () => {
    const { roleId, secretId, mount } = await engine.createAppRole()
    const secretIdFile = join(secrets, 'secret-id')
    writeFileSync(secretIdFile, secretId)
    service = runScript('main', {
      ...place,
      HOST: '127.0.0.1',
      PORT: '0',
      VAULT_DB_ROLE: 'app',
      APPROLE_ROLE_ID: roleId,
      APPROLE_SECRET_ID_FILE: secretIdFile,
      APPROLE_MOUNT: mount,
    })
    address = await addressOf(service)
    const statusOf = async (...request: [string, string, object?]): Promise<number> =>
      (await call(address, ...request)).status

    const ada = { name: 'Ada', email: 'ada@example.com' }
    const { status, body } = await call(address, 'POST', '/users', ada)
    expect(status).toBe(201)
    expect(body).toMatchObject(ada)
    expect(await statusOf('POST', '/users', ada)).toBe(409)
    expect(await statusOf('POST', '/users', { name: 'Bob' })).toBe(400)
    expect(await statusOf('POST', '/users', { name: 'Bob', email: 'no address' })).toBe(400)
    expect(await statusOf('PATCH', `/users/${body['id']}`, {})).toBe(400)
    expect(await statusOf('GET', '/users/no-number')).toBe(400)
    expect(await statusOf('GET', '/users/999999')).toBe(404)
    expect(await statusOf('DELETE', '/users/999999')).toBe(404)
    expect(await call(address, 'GET', `/users/${body['id']}`)).toMatchObject({ status: 200, body: ada })
    expect(await call(address, 'GET', '/health')).toMatchObject({
      status: 200,
      body: { source: 'database/creds/app', username: expect.stringContaining('-app-') },
    })
  })

  it('serves every request across rotations, and leaves nothing behind after SIGTERM', async () => {
    const watch = await watchSessions(postgres)
    const { queries, firstErrors } = await hammer({
      run: { query: () => visit(address) },
      workers: 16,
      until: 12_000,
    })
    const { timeline, mostAtOnce } = await watch.stop()
    expect(firstErrors).toEqual({})
    expect(queries).toBeGreaterThan(200)
    expect(new Set(timeline.flatMap(({ sessions }) => Object.keys(sessions))).size).toBeGreaterThanOrEqual(3)
    expect(mostAtOnce).toBeLessThanOrEqual(10)

    const asked = performance.now()
    service.kill('SIGTERM')
    expect(await exitCodeOf(service)).toBe(143)
    expect(performance.now() - asked).toBeLessThan(4_000)
    expect(await engine.users()).toEqual([])
    expect(await engine.leases('app')).toEqual([])
    const drops = await engine.drops()
    expect(drops.length).toBeGreaterThanOrEqual(4)
    expect(drops.filter(({ openSessions }) => openSessions > 0)).toEqual([])
  })
})

let visitors = 0

/** One user is created, read, changed and deleted. */
async function visit(address: string): Promise<void> {
  const email = `visitor-${visitors++}@example.com`
  const steps = async (): Promise<number[]> => {
    const created = await call(address, 'POST', '/users', { name: 'Visitor', email })
    const path = `/users/${created.body['id']}`
    const read = await call(address, 'GET', path)
    const changed = await call(address, 'PATCH', path, { name: 'Changed' })
    const deleted = await call(address, 'DELETE', path)
    return [created, read, changed, deleted].map(({ status }) => status)
  }
  const statuses = (await steps()).join()
  if (statuses !== '201,200,200,204') throw new Error(`answered ${statuses}`)
}
