import { setTimeout as sleep } from 'node:timers/promises'
import { hammer } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../leased-servers.ts'
import { leasedSubject, type SubjectName, subjectNames, subjects } from './index.ts'
import { newPassword, sessionsOf, staticUser } from './static-user.ts'
import { schemas } from './subject.ts'

const max = 3
/** As the IAM token of a cloud, or the password of a static role: each time another one, for the same user. */
const lifeMs = 6_000

describe.each(['postgresql', 'mysql', 'mongodb', 'redis'] as const)('sessions of %s', (kind) => {
  let servers: LeasedServers
  const names = subjectNames.filter((name) => subjects[name].database === kind)
  const userOf = (name: SubjectName): string => `stays_${names.indexOf(name)}`

  beforeAll(async () => {
    const users = names.flatMap((name) => staticUser(kind, { user: userOf(name), password: 'the-first' }))
    servers = await startLeasedServers({ kind, schema: [...schemas[kind], ...users] })
  })
  afterAll(async () => {
    await servers?.endAll()
    await servers?.[Symbol.asyncDispose]()
  })

  it.concurrent.each(names)(
    'of %s outlive three passwords under load, and new ones log in with the newest',
    async (name) => {
      const user = userOf(name)
      let passwords = 0
      const nextPassword = async () => {
        const password = `password-${++passwords}`
        await servers.database.query(newPassword(kind, { user, password }))
        return { username: user, password, expiresAt: new Date(Date.now() + lifeMs) }
      }
      const lease = await servers.lease({ role: undefined, vault: undefined, credential: nextPassword })
      const { database: server } = servers
      const place = { server, max, acquireTimeoutMs: 15_000, users: server }
      const subject = await leasedSubject(name, place, { lease })
      servers.closing(subject, () => subject.close())
      await subject.query()
      const held = await Promise.all(Array.from({ length: max }, () => subject.openTransaction()))
      await Promise.all(held.map((each) => each.step()))
      const before = await sessionsOf(server, user)
      expect(before.length).toBeGreaterThanOrEqual(max)
      await Promise.all(held.slice(1).map((each) => each.finish()))
      let changes = 0
      lease.on('passwordChanged', () => void changes++)
      const report = await hammer({
        run: subject,
        workers: 2,
        thinkMs: 10,
        until: vi.waitUntil(() => changes >= 3, { timeout: 30_000 }).then(() => sleep(200)),
      })
      expect(report.firstErrors).toEqual({})
      expect(await held[0]?.step()).toContain(user)
      await held[0]?.finish()
      expect(lease.generation).toBe(1)
      await vi.waitFor(async () => expect(await sessionsOf(server, user)).toEqual(before))
      await lease.rotate()
      expect(lease.generation).toBe(2)
      await subject.query()
      await vi.waitFor(async () => {
        const after = await sessionsOf(server, user)
        // Those of Redis log in anew, and stay.
        expect(after.filter((each) => before.includes(each))).toEqual(kind === 'redis' ? before : [])
      })
    },
  )
})
