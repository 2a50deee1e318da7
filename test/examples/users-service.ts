import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type DatabaseServer, hammer, type Servers, startServers, watchSessions } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { listenTo } from './events.ts'
import { addressOf, call, exitCodeOf, runScript } from './service.ts'

/** Those of which there are examples with users. */
type KindName = Exclude<DatabaseServer['kind'], 'redis'>

interface Kind {
  /** How the names of files with statements end. */
  readonly statements: 'sql' | 'json'
  /** What the examples are told about their database, as their READMEs say. */
  readonly environment: (server: DatabaseServer) => Record<string, string>
  /** Of nobody. */
  readonly unknownId: string
  /** How many full pools there can be during a drain. */
  readonly pools: 1 | 2
  /** Whether the examples tell of changes, at /users/changes. */
  readonly tells: boolean
}

const kinds: Readonly<Record<KindName, Kind>> = {
  postgresql: {
    statements: 'sql',
    environment: ({ host, port, database }) => ({ PGHOST: host, PGPORT: String(port), PGDATABASE: database }),
    unknownId: '999999',
    pools: 1,
    tells: false,
  },
  mysql: {
    statements: 'sql',
    environment: ({ host, port, database }) => ({ DB_HOST: host, DB_PORT: String(port), DB_NAME: database }),
    unknownId: '999999',
    pools: 1,
    tells: false,
  },
  mongodb: {
    statements: 'json',
    environment: ({ host, port, database }) => ({ MONGODB_URI: `mongodb://${host}:${port}/${database}` }),
    unknownId: 'f'.repeat(24),
    pools: 2,
    tells: true,
  },
}

const leaseStatus = { source: 'database/creds/app', username: expect.stringContaining('-app-') }

/**
 * What every example that is a service over a table of users has to do, on real servers: `npm run migrate`, then
 * `npm start` under load across rotations, then SIGTERM.
 *
 * @param name the folder below `examples`. Its folder `setup` has the statements `database`, and the creation statements of the
 * roles `app` and `app-migrate`.
 * @param health what /health answers: the status of the lease, unless the example's framework has a form of its own.
 */
export function usersService(name: string, kind: KindName, health: object = leaseStatus): void {
  const folder = fileURLToPath(new URL(`../../examples/${name}`, import.meta.url))
  const { statements, environment, unknownId, pools, tells } = kinds[kind]
  const setup = (name: string): string => readFileSync(join(folder, 'setup', `${name}.${statements}`), 'utf8')

  describe(`the example ${name}`, () => {
    const secrets = mkdtempSync(join(tmpdir(), 'example-'))
    let servers: Servers
    let place: Record<string, string>
    let service: ChildProcess
    let address: string

    beforeAll(async () => {
      servers = await startServers({ kind, schema: [setup('database')] })
      const { engine, database, vault } = servers
      await engine.role('app', { ttl: '6s', maxTtl: '12s', creationStatements: [setup('app')] })
      await engine.role('app-migrate', {
        ttl: '1m',
        maxTtl: '5m',
        creationStatements: [setup('app-migrate')],
      })
      place = { ...environment(database), VAULT_ADDR: vault.address }
    })
    afterAll(async () => {
      service?.kill('SIGKILL')
      await servers?.stop()
      rmSync(secrets, { recursive: true })
    })

    it('migrates as a user that comes from Vault, owns nothing, and is gone afterwards', async () => {
      const { engine, database } = servers
      const env = { ...place, VAULT_TOKEN: await engine.createToken(), VAULT_DB_ROLE: 'app-migrate' }
      for (const _again of [false, true]) expect(await exitCodeOf(runScript(folder, 'migrate', env))).toBe(0)
      if (kind === 'postgresql') {
        const owners = await database.query(
          `select distinct tableowner from pg_tables where schemaname = 'public'`,
        )
        expect(owners).toEqual([{ tableowner: 'app_owner' }])
      }
      expect(await engine.users()).toEqual([])
      expect(await engine.leases('app-migrate')).toEqual([])
    })

    it('starts with an AppRole and answers each mistake of a client with its own status', async () => {
      const { roleId, secretId, mount } = await servers.engine.createAppRole()
      const secretIdFile = join(secrets, 'secret-id')
      writeFileSync(secretIdFile, secretId)
      service = runScript(folder, 'start', {
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
      expect(await statusOf('GET', '/users/no-id')).toBe(400)
      expect(await statusOf('GET', `/users/${unknownId}`)).toBe(404)
      expect(await statusOf('DELETE', `/users/${unknownId}`)).toBe(404)
      expect(await call(address, 'GET', `/users/${body['id']}`)).toMatchObject({ status: 200, body: ada })
      expect(await call(address, 'GET', '/health')).toMatchObject({
        status: 200,
        body: health,
      })
    })

    it('serves every request across rotations, and leaves nothing behind after SIGTERM', async () => {
      const { engine, database } = servers
      const dropped = async (): Promise<number> => (await engine.drops()).length
      const droppedBefore = await dropped()
      const told = tells ? await listenTo(`${address}/users/changes`) : undefined
      const watch = await watchSessions(database)
      const { queries, firstErrors } = await hammer({
        run: { query: () => visit(address) },
        workers: 16,
        thinkMs: 100,
        until: vi.waitUntil(async () => (await dropped()) >= droppedBefore + 2, {
          timeout: 50_000,
          interval: 250,
        }),
      })
      const { timeline, mostAtOnce } = await watch.stop()
      expect(firstErrors).toEqual({})
      expect(queries).toBeGreaterThan(30)
      const users = new Set(timeline.flatMap(({ sessions }) => Object.keys(sessions)))
      expect(users.size).toBeGreaterThanOrEqual(3)
      expect(mostAtOnce).toBeLessThanOrEqual(10 * pools)
      await vi.waitUntil(() => !told || told.of('insert').length >= queries, { timeout: 10_000 })

      const asked = performance.now()
      service.kill('SIGTERM')
      expect(await exitCodeOf(service)).toBe(143)
      expect(performance.now() - asked).toBeLessThan(8_000)
      await told?.ended
      const inserted = told?.of('insert')
      if (inserted) expect([inserted.length, new Set(inserted).size]).toEqual([queries, queries])
      expect(await engine.users()).toEqual([])
      expect(await engine.leases('app')).toEqual([])
      const drops = await engine.drops()
      expect(drops.filter(({ openSessions }) => openSessions > 0)).toEqual([])
    })
  })
}

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
