import { type FaultProxy, openFaultProxy } from '@vault-lease/testing'
import { QueryTypes, type Sequelize } from 'sequelize'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { vaultSequelize } from '../src/vault-sequelize.ts'
import { dialectNames, type Servers, startServers, userExpressions } from './servers.ts'

const patience = { timeout: 15_000, interval: 50 }

describe.each(dialectNames)('a replicated Sequelize with %s', (dialect) => {
  let servers: Servers
  let replicas: [FaultProxy, FaultProxy]
  beforeAll(async () => {
    servers = await startServers(dialect)
  })
  beforeEach(async () => {
    replicas = [await openFaultProxy(servers.place), await openFaultProxy(servers.place)]
  })
  afterEach(async () => {
    await servers.endAll()
    for (const each of replicas) await each[Symbol.asyncDispose]()
  })
  afterAll(() => servers?.stop())

  const replication = () => ({
    write: servers.place,
    read: replicas.map(({ host, port }) => ({ host, port, database: servers.place.database })),
  })
  const userOn = async (db: Sequelize, useMaster: boolean): Promise<string> => {
    const [row] = await db.query<{ who: string }>(`select ${userExpressions[dialect]} as who`, {
      type: QueryTypes.SELECT,
      useMaster,
    })
    return row?.who ?? ''
  }

  it('has a place on the lease for each server, one user on all of them, and close() leaves nothing', async () => {
    const options = { vault: await servers.vaultOptions(), role: servers.role, logging: false as const }
    const db = (await servers.sequelize({ replication: replication() })).db
    const own = servers.open(vaultSequelize({ dialect, replication: replication(), ...options }))
    for (const each of [db, own]) {
      const reads = Array.from({ length: 6 }, () => userOn(each, false))
      const users = await Promise.all([userOn(each, true), ...reads])
      expect(new Set(users).size).toBe(1)
    }
    for (const { accepted } of replicas) expect(accepted).toBeGreaterThanOrEqual(2)
    await Promise.all([own.close(), db.close()])
    expect(await servers.sessions()).toEqual([])
  })

  it('goes over to a new user on each server that accepts it, whatever the others do', async () => {
    const { db, lease } = await servers.sequelize({ replication: replication() })
    await Promise.all(Array.from({ length: 6 }, () => userOn(db, false)))
    await userOn(db, true)
    expect(lease.status().places.map(({ state }) => state)).toEqual(['proven', 'proven', 'proven'])
    const [lagging, other] = replicas
    lagging.set({ kind: 'cut' })
    other.set({ kind: 'hang' })
    await lease.rotate()
    const user = lease.current?.username
    expect(lease.status()).toMatchObject({ state: 'ready', generation: 2 })
    // Until its turn, a connection of the user before still serves.
    await vi.waitFor(async () => expect(await userOn(db, true)).toBe(user), patience)
    lagging.set({ kind: 'none' })
    other.set({ kind: 'none' })
    await vi.waitFor(async () => {
      const users = await Promise.all(Array.from({ length: 6 }, () => userOn(db, false)))
      expect(new Set(users)).toEqual(new Set([user]))
    }, patience)
  })

  it('refuses a user of one server', () => {
    const { write, read } = replication()
    const withUser = { write, read: [{ ...read[0], username: 'me' }] }
    expect(() => vaultSequelize({ dialect, role: 'app', replication: withUser })).toThrow(
      'Leave out "username"',
    )
  })
})
