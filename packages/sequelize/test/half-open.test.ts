import { settlesWithin } from '@vault-lease/core/adapter'
import { openFaultProxy } from '@vault-lease/testing'
import { QueryTypes, type Sequelize } from 'sequelize'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { dialectNames, type Servers, startServers } from './servers.ts'

const soonMs = 8_000

describe.each(dialectNames)('a Sequelize with %s over a way that goes silent', (dialect) => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers(dialect)
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const select = (db: Sequelize): Promise<unknown> => db.query('select 1', { type: QueryTypes.SELECT })
  const sizeOf = (db: Sequelize): number =>
    (db.connectionManager as unknown as { pool: { size: number } }).pool.size

  it('rotates although a connection that was idle for too long is never closed at the other end', async () => {
    const way = await openFaultProxy(servers.place)
    servers.closing(way, () => way[Symbol.asyncDispose]())
    const { host, port } = way
    const { db, lease } = await servers.sequelize({ pool: { max: 1, idle: 50, evict: 20 }, host, port })
    await select(db)
    await vi.waitFor(() => expect(sizeOf(db)).toBe(0))
    await select(db)
    way.set({ kind: 'freeze' })
    expect(await settlesWithin(lease.rotate(), soonMs)).toBe(true)
    expect(await settlesWithin(select(db), soonMs)).toBe(true)
    expect(lease.status().generation).toBe(2)
    way.set({ kind: 'cut' })
  })
})
