import { setTimeout as sleep } from 'node:timers/promises'
import type { LeaseManager } from '@vault-lease/core'
import { type FaultProxy, openFaultProxy } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../leased-servers.ts'
import { leasedSubject, type SubjectName, subjectNames, subjects } from './index.ts'
import { sessionsOf, staticUser } from './static-user.ts'
import { type Subject, schemas } from './subject.ts'

interface Begun {
  readonly lease: LeaseManager
  readonly subject: Subject
}

type Step = 'the first user is proven' | 'the first query waits' | 'the next user is proven'

const steps: Readonly<Record<Step, (begun: Begun) => Promise<unknown>>> = {
  'the first user is proven': ({ lease }) => lease.ready(),
  'the first query waits': ({ subject }) => subject.query(),
  'the next user is proven': ({ lease }) => lease.rotate(),
}

/** The way to the database is long, so that each step of a beginning has a moment that is met. */
const latencyMs = 10
const momentsMs = Array.from({ length: 16 }, (_, n) => n * 12)
/** Less than what is waited for where something does not end by itself. */
const endsWithinMs = 5_000

describe.each(['postgresql', 'mysql', 'mongodb', 'redis'] as const)('adapters of %s', (kind) => {
  let servers: LeasedServers
  let way: FaultProxy
  const names = subjectNames.filter((name) => subjects[name].database === kind)
  const userOf = (name: SubjectName): string => `leaves_${names.indexOf(name)}`

  beforeAll(async () => {
    const users = names.flatMap((name) => staticUser(kind, { user: userOf(name), password: 'the-first' }))
    const database = { maxConnections: 200 }
    servers = await startLeasedServers({ kind, database, schema: [...schemas[kind], ...users] })
    way = await openFaultProxy(servers.database)
    way.set({ kind: 'latency', ms: latencyMs })
  })
  afterAll(async () => {
    await way?.[Symbol.asyncDispose]()
    await servers?.endAll()
    await servers?.[Symbol.asyncDispose]()
  })

  const begin = async (name: SubjectName): Promise<Begun> => {
    const login = { username: userOf(name), password: 'the-first' }
    const lease = await servers.lease({ role: undefined, vault: undefined, credential: async () => login })
    const { host, port } = way
    const server = { ...servers.place, host, port }
    const place = { server, max: 2, acquireTimeoutMs: 5_000, users: servers.database }
    const subject = await leasedSubject(name, place, { lease })
    return { lease, subject }
  }

  const tookToEnd = async (name: SubjectName, step: Step, afterMs: number): Promise<number> => {
    const begun = await begin(name)
    if (step === 'the next user is proven') await begun.subject.query()
    // Whether it still succeeds depends on the moment.
    const settled = steps[step](begun).catch(() => {})
    await sleep(afterMs)
    const began = performance.now()
    await begun.subject.close()
    await begun.lease.close()
    await settled
    return Math.round(performance.now() - began)
  }

  it.each(names)('%s: one that ends at whatever moment leaves soon', async (name) => {
    for (const step of Object.keys(steps) as Step[]) {
      const took = await Promise.all(momentsMs.map((afterMs) => tookToEnd(name, step, afterMs)))
      expect(
        took.filter((ms) => ms > endsWithinMs),
        step,
      ).toEqual([])
    }
    await vi.waitFor(async () => expect(await sessionsOf(servers.database, userOf(name))).toEqual([]))
  })
})
