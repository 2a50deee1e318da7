import type { LeaseManager, PoolUsage } from '@vault-lease/core'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../leased-servers.ts'
import { isSubjectName, leasedSubject, type SubjectName, subjects } from './index.ts'
import { sessionsOf } from './static-user.ts'
import { schemas } from './subject.ts'

/**
 * Of these the pool is pg's own, which the instrumentation of pg tells of already; postgres.js does not say who waits, and with
 * Redis nobody waits for a connection.
 */
const tellsNoLoad: ReadonlySet<SubjectName> = new Set([
  ...(['pg', 'typeorm', 'prisma', 'postgres'] as const),
  ...(['ioredis', 'node-redis'] as const),
])
const max = 2

describe.each(['postgresql', 'mysql', 'mongodb', 'redis'] as const)('how a pool on %s is used', (kind) => {
  let servers: LeasedServers
  beforeAll(async () => {
    servers = await startLeasedServers({ kind, schema: schemas[kind] })
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())
  afterEach(() => servers.endAll())

  async function setUp(name: SubjectName) {
    const lease = await servers.lease()
    let logins = 0
    lease.on('login', () => void logins++)
    const place = { server: servers.place, max, acquireTimeoutMs: 10_000, users: servers.database }
    const subject = servers.closing(await leasedSubject(name, place, { lease }), (each) => each.close())
    await subject.query()
    return { lease, subject, logins: () => logins }
  }

  const names = Object.keys(subjects)
    .filter(isSubjectName)
    .filter((name) => subjects[name].database === kind)

  it.each(names)('%s tells how many connections it has, as the server does', async (name) => {
    const { lease, subject, logins } = await setUp(name)
    await Promise.all([subject.query(), subject.query(), subject.query()])
    const user = lease.current?.username ?? ''
    // What MongoDB's stand-in lists are not only the connections of the pool.
    if (kind !== 'mongodb')
      await vi.waitFor(async () =>
        expect(await sessionsOf(servers.database, user)).toHaveLength(sizeOf(usageOf(lease))),
      )
    const open = sizeOf(usageOf(lease))
    expect(open).toBeGreaterThanOrEqual(1)
    expect(open).toBeLessThanOrEqual(max)
    expect(usageOf(lease).connections).toEqual([{ generation: 1, open }])
    const before = logins()
    expect(before).toBeGreaterThanOrEqual(open)
    await lease.rotate()
    await subject.query()
    expect(usageOf(lease).connections.map(({ generation }) => generation)).toContain(2)
    // Where a user is proven beside the pool, that is a login too; connections of Redis take their turns to log in anew.
    expect(logins()).toBeGreaterThanOrEqual(before + (kind === 'mongodb' || kind === 'redis' ? 1 : 2))
  })

  it.each(names.filter((name) => tellsNoLoad.has(name)))('%s leaves the rest to others', async (name) => {
    const { lease } = await setUp(name)
    expect(usageOf(lease).load).toBe(undefined)
  })

  it.each(names.filter((name) => !tellsNoLoad.has(name)))(
    '%s tells who waits, and what is idle',
    async (name) => {
      const { lease, subject } = await setUp(name)
      await vi.waitFor(() =>
        expect(usageOf(lease).load).toMatchObject({ idle: sizeOf(usageOf(lease)), waiting: 0 }),
      )
      expect(usageOf(lease).load?.max).toBe(max)
      // A transaction of MongoDB needs a connection only for each of its statements.
      if (kind === 'mongodb') return
      const held = await Promise.all([subject.openTransaction(), subject.openTransaction()])
      expect(usageOf(lease).load).toEqual({ max, idle: 0, waiting: 0 })
      // knex begins when somebody waits for it.
      const waiting = Promise.all([subject.query()])
      await vi.waitFor(() => expect(usageOf(lease).load).toEqual({ max, idle: 0, waiting: 1 }))
      for (const each of held) await each.finish()
      await waiting
      await vi.waitFor(() => expect(usageOf(lease).load).toEqual({ max, idle: max, waiting: 0 }))
    },
  )
})

function usageOf(lease: LeaseManager): PoolUsage {
  const [place] = lease.status().places
  if (!place?.usage) throw new Error('the pool does not tell how it is used')
  return place.usage
}

function sizeOf({ connections }: PoolUsage): number {
  return connections.reduce((sum, { open }) => sum + open, 0)
}
