import type { EntityManager } from '@mikro-orm/core'
import type { PostgreSqlDriver, SqlEntityManager } from '@mikro-orm/postgresql'
import { healthOf } from '@vault-lease/core'
import { openFaultProxy } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { Items, kinds, type Servers, startServers, userExpressions } from './servers.ts'

const patience = { timeout: 15_000, interval: 50 }

describe.each(kinds)('a MikroORM on vaultMikroOrm(), with %s', (kind) => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers(kind)
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const own = async () => ({ vault: await servers.vaultOptions(), role: servers.role })
  const userOf = async (em: SqlEntityManager<PostgreSqlDriver>): Promise<string> => {
    const [row] = await em.execute<{ who: string }[]>(`select ${userExpressions[kind]} as who`)
    return row?.who ?? ''
  }

  it('works by its one line, and close() leaves nothing', async () => {
    const orm = await servers.open(servers.options(await own()))
    expect(await userOf(orm.em.fork())).toMatch(/^v-token-app-/)
    expect(healthOf(orm.em.getKnex()).ready).toBe(true)
    await Promise.all([orm.close(), orm.close()])
    expect(await servers.engine.users()).toEqual([])
  })

  it('takes the place from a URL, whose empty login means nothing', async () => {
    const { host, port, database } = servers.place
    const clientUrl = `${kind}://:@${host}:${port}/${database}`
    const nothing = { host: undefined, port: undefined, dbName: undefined }
    const orm = await servers.open(servers.options({ ...(await own()), ...nothing, clientUrl } as never))
    expect(await userOf(orm.em.fork())).toMatch(/^v-token-app-/)
  })

  it('reads and writes as MikroORM does, in forks, before and after a rotation', async () => {
    const { orm, lease } = await servers.orm()
    const at = new Date('2026-01-02T03:04:05Z')
    for (const name of ['before', 'after']) {
      const em = orm.em.fork()
      em.create(Items, { name, at })
      await em.flush()
      expect(await orm.em.fork().findOneOrFail(Items, { name })).toMatchObject({ name, at })
      await lease.rotate()
    }
    await vi.waitFor(async () => expect(await userOf(orm.em.fork())).toBe(lease.current?.username), patience)
    await orm.em.fork().nativeDelete(Items, {})
  })

  it('goes on with transactions across a rotation, also nested ones, and rolls back', async () => {
    const { orm, lease } = await servers.orm()
    const write = (em: EntityManager, name: string): Promise<void> =>
      em.persistAndFlush(em.create(Items, { name, at: new Date() }))
    await orm.em.fork().transactional(async (em) => {
      const before = await userOf(em)
      await write(em, 'kept')
      await lease.rotate()
      await em
        .transactional(async (inner) => {
          await write(inner, 'dropped')
          throw new Error('roll back to the savepoint')
        })
        .catch(() => {})
      expect(await userOf(em)).toBe(before)
    })
    await expect(
      orm.em.fork().transactional(async (em) => {
        await write(em, 'dropped')
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    const left = await orm.em.fork().findAll(Items)
    expect(left.map(({ name }) => name)).toEqual(['kept'])
    await orm.em.fork().nativeDelete(Items, {})
  })

  it('goes over to a new user on each replica that accepts it, whatever the others do', async () => {
    await using way = await openFaultProxy(servers.place)
    const { orm, lease } = await servers.orm({ replicas: [{ host: way.host, port: way.port }] })
    const read = (): Promise<unknown> => orm.em.fork().findAll(Items)
    await Promise.all([read(), userOf(orm.em.fork())])
    expect(way.accepted).toBeGreaterThan(0)
    expect(lease.status().places).toHaveLength(2)
    way.set({ kind: 'hang' })
    await lease.rotate()
    const user = lease.current?.username
    await vi.waitFor(async () => expect(await userOf(orm.em.fork())).toBe(user), patience)
    way.set({ kind: 'none' })
    await vi.waitFor(read, patience)
    await orm.close()
  })

  it('cancels a statement that takes too long, and gives its connection back', async () => {
    const { orm } = await servers.orm({ pool: { min: 0, max: 1 } })
    const slow = orm.em.getKnex().raw(kind === 'postgresql' ? 'select pg_sleep(30)' : 'select sleep(30)')
    const begun = performance.now()
    await expect(slow.timeout(200, { cancel: true })).rejects.toThrow(/timeout/i)
    expect(await userOf(orm.em.fork())).toMatch(/^v-token-app-/)
    expect(performance.now() - begun).toBeLessThan(20_000)
  })

  it('tells of a lease in its own errors', async () => {
    const { orm, lease } = await servers.orm()
    await lease.close()
    await expect(orm.em.fork().findAll(Items)).rejects.toMatchObject({ code: 'ERR_LEASE_CLOSED' })
  })
})
