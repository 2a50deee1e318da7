import { AsyncLocalStorage } from 'node:async_hooks'
import { DataTypes, Sequelize } from 'sequelize'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { dialectNames, type Servers, startServers } from './servers.ts'

type Values = Map<string, unknown>

const storage = new AsyncLocalStorage<Values>()

/** What Sequelize needs of a namespace of cls-hooked. */
const namespace = {
  get: (key: string): unknown => storage.getStore()?.get(key),
  set: (key: string, value: unknown): unknown => storage.getStore()?.set(key, value),
  run: (fn: (values: Values) => unknown): unknown => {
    const values = new Map(storage.getStore())
    return storage.run(values, () => fn(values))
  },
  bind: <Bound extends (...args: never[]) => unknown>(fn: Bound): Bound => fn,
}

describe.each(dialectNames)('transactions by CLS, with %s', (dialect) => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers(dialect)
    Sequelize.useCLS(namespace)
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  it('go on across a rotation, each on its own connection, as the user who began them', async () => {
    const { db, lease } = await servers.sequelize({ pool: { max: 2 } })
    const Item = db.define('items', { name: DataTypes.STRING }, { timestamps: false })
    const rotations: Promise<unknown>[] = []
    const write = async (name: string, fail: boolean): Promise<void> => {
      await db.transaction(async () => {
        await Item.create({ name })
        // It needs a place in the pool itself.
        rotations.push(lease.rotate())
        await Item.create({ name })
        expect(await Item.count({ where: { name } })).toBe(2)
        if (fail) throw new Error('no')
      })
    }
    // More than there are connections, so that some wait for one inside the rotations.
    const written = await Promise.allSettled(
      Array.from({ length: 6 }, (_, n) => write(`item ${n}`, n % 2 === 1)),
    )
    await Promise.all(rotations)
    expect(lease.status().generation).toBeGreaterThan(1)
    expect(written.filter(({ status }) => status === 'rejected')).toHaveLength(3)
    expect(await Item.count()).toBe(6)
    expect(await Item.count({ where: { name: 'item 1' } })).toBe(0)
  })
})
