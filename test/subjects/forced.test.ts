import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../leased-servers.ts'
import { leasedSubject, subjectNames, subjects } from './index.ts'
import { schemas } from './subject.ts'

describe.each(['postgresql', 'mysql'] as const)(
  'a connection that is closed under its holder, when its user of %s dies,',
  (kind) => {
    let servers: LeasedServers
    beforeAll(async () => {
      servers = await startLeasedServers({ kind, schema: schemas[kind], vault: { storage: 'raft' } })
    })
    afterEach(async () => {
      await servers.vault.start()
      // Vault has leases to end that were over while it was away.
      await vi.waitFor(() => servers.endAll(), { timeout: 30_000, interval: 200 })
    })
    afterAll(() => servers?.stop())

    it.each(subjectNames.filter((name) => subjects[name].database === kind))(
      '%s tells of what somebody held, and not of what was idle',
      async (name) => {
        await servers.engine.role('mortal', { ttl: '3s', maxTtl: '3s' })
        const lease = await servers.lease({ role: 'mortal' })
        const place = { server: servers.place, max: 5, acquireTimeoutMs: 10_000, users: servers.database }
        const subject = await leasedSubject(name, place, { lease })
        servers.closing(subject, () => subject.close())
        await Promise.all([subject.transaction(100), subject.transaction(100)])
        const held = await subject.openTransaction()
        await servers.vault.kill()
        const [{ forced }] = await once(lease, 'retired')
        expect(forced).toBe(1)
        await held.finish().catch(() => {})
      },
    )
  },
)
