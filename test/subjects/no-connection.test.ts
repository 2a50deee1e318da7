import { setTimeout as sleep } from 'node:timers/promises'
import type { HammerTarget } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../leased-servers.ts'
import { leasedSubject, type SubjectName, subjectNames, subjects } from './index.ts'
import { type Subject, schemas } from './subject.ts'

const work = ['query', 'transaction', 'stream'] as const satisfies readonly (keyof HammerTarget)[]

describe.each(['postgresql', 'mysql', 'mongodb', 'redis'] as const)('adapters of %s', (kind) => {
  let servers: LeasedServers
  const unheard: unknown[] = []
  const hear = (error: unknown): void => void unheard.push(error)

  beforeAll(async () => {
    servers = await startLeasedServers({ kind, schema: schemas[kind] })
    process.on('unhandledRejection', hear).on('uncaughtException', hear)
  })
  afterAll(async () => {
    process.off('unhandledRejection', hear).off('uncaughtException', hear)
    await servers?.endAll()
    await servers?.[Symbol.asyncDispose]()
  })

  const names = subjectNames.filter((name) => subjects[name].database === kind)

  const open = async (name: SubjectName): Promise<Subject> => {
    const credential = async () => Promise.reject(new Error('none today'))
    const lease = await servers.lease({ role: undefined, vault: undefined, credential })
    const place = { server: servers.database, max: 2, acquireTimeoutMs: 2_000, users: servers.database }
    const subject = await leasedSubject(name, place, { lease })
    return servers.closing(subject, () => subject.close())
  }

  it.each(names)('%s: what finds no connection fails for its caller alone', async (name) => {
    // What an adapter is asked first comes by other ways in some: each kind of work is the first once.
    for (const first of work) {
      const subject = await open(name)
      if (!subject[first]) continue
      const did = async (): Promise<unknown> => await subject[first]?.(10)
      for (const { status } of await Promise.allSettled([did(), did(), did()]))
        expect(status).toBe('rejected')
      await sleep(50)
      expect(unheard.splice(0), first).toEqual([])
    }
  })
})
