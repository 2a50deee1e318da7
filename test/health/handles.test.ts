import { healthOf } from '@vault-lease/core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../leased-servers.ts'
import { leasedSubject, subjectNames, subjects } from '../subjects/index.ts'
import { schemas } from '../subjects/subject.ts'

describe.each(['postgresql', 'mysql', 'mongodb', 'redis'] as const)(
  'on %s, healthOf() takes what an application has',
  (kind) => {
    let servers: LeasedServers
    beforeAll(async () => {
      servers = await startLeasedServers({ kind, schema: schemas[kind] })
    })
    afterAll(() => servers?.stop())

    it.each(subjectNames.filter((name) => subjects[name].database === kind))('of %s', async (name) => {
      const place = { server: servers.place, max: 2, acquireTimeoutMs: 10_000, users: servers.database }
      const from = { vault: await servers.vaultOptions(), role: servers.role }
      const subject = await leasedSubject(name, place, from)
      try {
        const handle = subject.inspectables().find((each) => each instanceof Object) ?? {}
        await subject.query()
        expect(healthOf(handle)).toMatchObject({
          live: true,
          ready: true,
          reasons: [],
          leases: [{ source: 'database/creds/app', generation: 1, places: [{}] }],
        })
        await subject.close()
        expect(healthOf(handle).ready).toBe(false)
      } finally {
        await subject.close()
      }
    })
  },
)
