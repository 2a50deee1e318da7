import { setTimeout as sleep } from 'node:timers/promises'
import type { LeaseManager } from '@vault-lease/core'
import { settlesWithin } from '@vault-lease/core/adapter'
import { hammer, openFaultProxy } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, type Place, startLeasedServers } from '../leased-servers.ts'
import { leasedSubject, type SubjectName, subjectNames, subjects } from '../subjects/index.ts'
import { type Subject, schemas } from '../subjects/subject.ts'

const kinds = ['postgresql', 'mysql'] as const
const onKind = (kind: (typeof kinds)[number]): SubjectName[] =>
  subjectNames.filter((name) => subjects[name].database === kind)

describe.each(kinds)('the pools on %s', (kind) => {
  let servers: LeasedServers
  beforeAll(async () => {
    servers = await startLeasedServers({ kind, schema: schemas[kind] })
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  async function open(
    name: SubjectName,
    { server = servers.place, drainTimeoutMs = 4_000 }: { server?: Place; drainTimeoutMs?: number } = {},
  ): Promise<{ subject: Subject; lease: LeaseManager }> {
    const lease = await servers.lease({ role: servers.role, rotation: { drainTimeoutMs } })
    const place = { server, max: 5, acquireTimeoutMs: 10_000, users: servers.database }
    const subject = await leasedSubject(name, place, { lease })
    servers.closing(subject, () => subject.close())
    return { subject, lease }
  }

  // Nobody listens for errors here, and an error that nobody catches fails the run of the tests.
  it.each(onKind(kind))('%s: idle connections that the server ends do not end the process', async (name) => {
    const { subject } = await open(name)
    await Promise.all(Array.from({ length: 5 }, () => subject.query()))
    await servers.database.restart()
    await vi.waitFor(() => subject.query(), { timeout: 30_000 })
  })

  // A limit to the life of a connection that is looked at when it is idle never comes for one that is always in use.
  it.each(onKind(kind))(
    '%s: a pool that is never idle leaves its old user, and nothing has to be forced',
    async (name) => {
      const { subject, lease } = await open(name)
      await subject.query()
      const retired: { forced: number }[] = []
      lease.on('retired', (told) => void retired.push(told))
      const rotated = async (): Promise<void> => {
        await sleep(300)
        await lease.rotate()
        await vi.waitUntil(() => retired.length === 1, { timeout: 20_000 })
      }
      const { failed } = await hammer({
        run: { query: () => subject.query() },
        workers: 20,
        until: rotated(),
      })
      expect(failed).toBe(0)
      expect(retired).toMatchObject([{ forced: 0 }])
    },
  )

  // A socket that nobody reads at the other end any more kept those who waited for it waiting for good.
  it.each(onKind(kind))('%s: a query on a connection that goes silent ends with the drain', async (name) => {
    await using way = await openFaultProxy(servers.place)
    const { subject, lease } = await open(name, {
      server: { ...servers.place, host: way.host, port: way.port },
      drainTimeoutMs: 500,
    })
    await subject.query()
    const held = await subject.openTransaction()
    way.set({ kind: 'freeze' })
    const answer = held.step().catch((error: unknown) => error)
    await lease.rotate()
    expect(await settlesWithin(answer, 15_000)).toBe(true)
    expect(await answer).toMatchObject({ code: 'ERR_CONNECTION_RETIRED' })
    expect(await settlesWithin(subject.query(), 15_000)).toBe(true)
    await held.finish().catch(() => {})
  })

  // A user who died between the checkout and the query failed that query, and went back to the pool for the next one.
  it.each(onKind(kind))(
    '%s: a user who dies after the checkout fails nobody who comes later',
    async (name) => {
      const { subject } = await open(name)
      const held = await subject.openTransaction()
      await held.step()
      await servers.engine.revokePrefix(servers.role)
      await held.step().catch(() => {})
      await held.finish().catch(() => {})
      await vi.waitFor(() => subject.query(), { timeout: 10_000 })
      for (let n = 0; n < 20; n++) await subject.query()
    },
  )
})
