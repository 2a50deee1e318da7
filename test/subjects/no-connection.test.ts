import { setTimeout as sleep } from 'node:timers/promises'
import type { HammerTarget } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../leased-servers.ts'
import { leasedSubject, type SubjectName, subjectNames, subjects } from './index.ts'
import { schemas } from './subject.ts'

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

  // What an adapter is asked first comes by other ways in some: each is the first once.
  it.each(names.flatMap((name) => work.map((first) => [name, first] as const)))(
    '%s: a %s that finds no connection fails for its caller alone',
    async (name: SubjectName, first) => {
      const credential = async () => Promise.reject(new Error('none today'))
      const lease = await servers.lease({ role: undefined, vault: undefined, credential })
      const place = { server: servers.database, max: 2, acquireTimeoutMs: 2_000, users: servers.database }
      const subject = await leasedSubject(name, place, { lease })
      servers.closing(subject, () => subject.close())
      const did = async (): Promise<unknown> => await subject[first]?.(10)
      const asked = subject[first] ? [did(), did(), did()] : []
      for (const { status } of await Promise.allSettled(asked)) expect(status).toBe('rejected')
      await sleep(50)
      expect(unheard.splice(0)).toEqual([])
    },
  )
})
