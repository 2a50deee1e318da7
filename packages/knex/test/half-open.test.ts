import { settlesWithin } from '@vault-lease/core/adapter'
import { openFaultProxy } from '@vault-lease/testing'
import type { Knex } from 'knex'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Servers, startServers } from './servers.ts'

const soonMs = 5_000

describe.each(['pg', 'mysql2'] as const)('a knex with client %s over a way that goes silent', (client) => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers(client)
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const select = (db: Knex): Promise<unknown> => db.raw('select 1').then()

  it('rotates although a connection that was idle for too long is never closed at the other end', async () => {
    const way = await openFaultProxy(servers.place)
    servers.closing(way, () => way[Symbol.asyncDispose]())
    const pool = { min: 0, max: 1, idleTimeoutMillis: 50, reapIntervalMillis: 20 }
    const { db, lease } = await servers.knex({ pool }, { host: way.host, port: way.port })
    await select(db)
    await vi.waitFor(() => expect(db.client.pool.numFree()).toBe(0))
    await select(db)
    way.set({ kind: 'freeze' })
    await vi.waitFor(() => expect(db.client.pool.numFree()).toBe(0))
    expect(await settlesWithin(lease.rotate(), soonMs)).toBe(true)
    expect(await settlesWithin(select(db), soonMs)).toBe(true)
    way.set({ kind: 'cut' })
  })
})
