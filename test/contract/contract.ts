import { setTimeout as sleep } from 'node:timers/promises'
import { CredentialsUnavailableError } from '@vault-lease/core'
import { type HammerReport, hammer, type SessionReport, watchSessions } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { SecretWatch } from '../secret-watch.ts'
import { type SubjectName, subjects } from '../subjects/index.ts'
import type { Subject } from '../subjects/subject.ts'
import { atTheDeadline } from './deadline.ts'
import { expectNoSecrets } from './secrets.ts'
import { sideBySide } from './side-by-side.ts'
import { max, Stage, untilRetired, workers } from './stage.ts'
import { tellingOf } from './telling.ts'
import type { World } from './world.ts'

/**
 * What every adapter promises, run against real servers. Each adapter runs this same function.
 *
 * @param name the adapter's name in `subjects/`; it is also run in a process of its own that gets killed.
 */
export function contract(name: SubjectName): void {
  describe(`${name}: the contract`, () => {
    const stage = new Stage(name)
    beforeAll(() => stage.start())
    afterAll(() => stage.stop())

    oneAfterTheOther(stage, name)
    sideBySide(stage, name)

    it('no secret in any error, event, status or inspection of all this', () => {
      const { secrets } = stage.world
      expectNoSecrets(secrets)
      expect(secrets.known()).toBeGreaterThan(50)
    })
  })
}

/** What disturbs the servers, or counts what they do. */
function oneAfterTheOther(stage: Stage, name: SubjectName): void {
  const { pools = 1, logins = 0, pipelines } = subjects[name]
  const peak = max * pools + logins
  const underWay = pipelines ? workers : max
  describe('one after the other', () => {
    let world: World
    let secrets: SecretWatch

    beforeAll(() => {
      ;({ world } = stage)
      secrets = world.secrets
    })
    beforeEach(() => stage.forgetDrops())
    afterEach(async () => {
      await stage.clear()
      await world.engine.revokePrefix('app')
    })

    /** The same, and what the server saw. */
    async function watchedUnderLoad(
      subject: Subject,
      happening: () => Promise<unknown>,
    ): Promise<{ report: HammerReport; seen: SessionReport }> {
      const watch = await watchSessions(world.database, { everyMs: 2 })
      const report = await stage.underLoad(subject, happening)
      return { report, seen: await watch.stop() }
    }

    async function revokedUnderLoad(
      before: (subject: Subject) => Promise<void>,
    ): Promise<{ readonly failed: number }> {
      const lease = await world.lease('60s', '120s')
      const subject = await stage.subjectOn({ lease })
      await subject.query()
      let revokedAt = 0
      let lastFailureAt = 0
      let failed = 0
      const watch = await watchSessions(world.database)
      const report = await hammer({
        run: subject,
        workers,
        thinkMs: 10,
        mix: { query: 100, transaction: 0, stream: 0 },
        until: (async () => {
          await sleep(300)
          await before(subject)
          await world.engine.revokePrefix('app')
          revokedAt = performance.now()
          await sleep(2_000)
        })(),
        onResult: ({ error }) => {
          if (error === undefined) return
          secrets.look(error)
          failed++
          lastFailureAt = performance.now()
        },
      })
      const seen = await watch.stop()
      expect(report.queries).toBeGreaterThan(30)
      expect(lastFailureAt - revokedAt).toBeLessThan(1_000)
      expect(lease.status().state).toBe('ready')
      expect(seen.mostAtOnce).toBeLessThanOrEqual(peak)
      await subject.close()
      await lease.close()
      expect(await world.engine.users()).toEqual([])
      return { failed }
    }

    it('rotates 20 times under load: no query fails, no session is open at a drop, never more sessions than promised', async () => {
      const lease = await world.lease('10s', '30s')
      const subject = await stage.subjectOn({ lease })
      await subject.query()
      await using told = await tellingOf(subject)
      const { report, seen } = await watchedUnderLoad(subject, async () => {
        for (let rotation = 0; rotation < 20; rotation++) {
          await sleep(200)
          await lease.rotate()
        }
      })
      expect(report.firstErrors).toEqual({})
      expect(report.queries).toBeGreaterThan(100)
      expect(lease.status().generation).toBeGreaterThanOrEqual(21)
      expect(seen.mostAtOnce).toBeLessThanOrEqual(peak)
      expect(seen.mostAtOnce).toBeGreaterThanOrEqual(max)
      await told?.check()
      await stage.closeAndCheck(subject, lease)
      expect((await world.engine.drops()).length).toBeGreaterThanOrEqual(21)
    })

    it('finishes an open transaction and an open cursor across a rotation, as the user who began them', async () => {
      const lease = await world.lease('60s', '120s')
      const subject = await stage.subjectOn({ lease })
      const held = await Promise.all([subject.openTransaction(), subject.openCursor()])
      const before = await Promise.all(held.map((each) => each.step()))
      await lease.rotate()
      await subject.query()
      const after = await Promise.all(held.map((each) => each.step()))
      expect(after).toEqual(before)
      expect(after[0]).not.toBe(lease.current?.username)
      await Promise.all(held.map((each) => each.finish()))
      await untilRetired(lease)
      const next = await subject.openTransaction()
      expect(await next.step()).toBe(lease.current?.username)
      await next.finish()
      await stage.closeAndCheck(subject, lease)
    })

    it('serves every queued acquire: 50 on a pool of 5', async () => {
      const lease = await world.lease('60s', '120s')
      const subject = await stage.subjectOn({ lease })
      await subject.query()
      const queued = Array.from({ length: 50 }, () => subject.transaction(40))
      await sleep(20)
      await lease.rotate()
      await Promise.all(queued)
      await stage.closeAndCheck(subject, lease)
    })

    it('serves what is queued when it closes', async () => {
      const lease = await world.lease('60s', '120s')
      const subject = await stage.subjectOn({ lease })
      await subject.query()
      const queued = Array.from({ length: 20 }, () => subject.transaction(20))
      await Promise.all([...queued, stage.closeAndCheck(subject, lease)])
    })

    atTheDeadline(stage)

    it('Vault stopped for longer than the lease: typed errors at once, then recovery by itself', async () => {
      const lease = await world.lease('3s', '60s')
      const subject = await stage.subjectOn({ lease })
      await subject.query()
      await world.vault.kill()
      while (lease.current) await sleep(50)
      await sleep(100)
      for (let attempt = 0; attempt < 10; attempt++) {
        const began = performance.now()
        const error = await subject.query().catch((failure: unknown) => failure)
        secrets.look(error)
        expect(error).toBeInstanceOf(CredentialsUnavailableError)
        expect(performance.now() - began).toBeLessThan(1_000)
      }
      expect(lease.status().state).toBe('expired')
      await world.vault.start()
      const began = performance.now()
      while (lease.status().state !== 'ready') await sleep(50)
      expect(performance.now() - began).toBeLessThan(8_000)
      await subject.query()
      await stage.closeAndCheck(subject, lease)
    })

    it('the database restarted under load: recovery', async () => {
      const lease = await world.lease('60s', '120s')
      const subject = await stage.subjectOn({ lease })
      await subject.query()
      // A driver that asks again by itself can come through it without a failure.
      await stage.underLoad(subject, async () => {
        await sleep(300)
        await world.database.restart()
        await sleep(700)
      })
      const calm = await stage.underLoad(subject, () => sleep(500))
      expect(calm.firstErrors).toEqual({})
      await stage.closeAndCheck(subject, lease)
    })

    it('the leases revoked by an operator: at most the operations under way fail, and within a second all is well', async () => {
      const { failed } = await revokedUnderLoad(async () => {})
      expect(failed).toBeLessThanOrEqual(underWay)
    })

    it('the leases revoked soon after the application was denied a statement: within a second all is well', async () => {
      await revokedUnderLoad(async (subject) => {
        await subject.deniedQuery().catch((error: unknown) => secrets.look(error))
        // What was asked because of it is answered by then.
        await sleep(200)
      })
    })

    it('an application\'s own "permission denied" changes nothing', async () => {
      const lease = await world.lease('60s', '120s')
      const subject = await stage.subjectOn({ lease })
      const { report, seen } = await watchedUnderLoad(subject, async () => {
        for (let attempt = 0; attempt < 20; attempt++) {
          const error = await subject.deniedQuery().catch((failure: unknown) => failure)
          expect(String(error)).toMatch(/(permission|command) denied|not authorized|no permissions/)
        }
      })
      expect(report.firstErrors).toEqual({})
      expect(lease.status().generation).toBe(1)
      expect(seen.mostAtOnce).toBeLessThanOrEqual(peak)
      expect(seen.mostAtOnce).toBeGreaterThanOrEqual(max)
      await stage.closeAndCheck(subject, lease)
    })

    it('close() leaves no user, no lease and no token, and closing twice is closing once', async () => {
      await world.engine.role('app', { ttl: '60s', maxTtl: '120s' })
      const before = await tokens(world)
      const subject = await stage.subjectOn({ vault: await world.vaultOptions(), role: 'app' })
      await subject.query()
      expect(await world.engine.users()).toHaveLength(1)
      expect(await tokens(world)).toBe(before + 1)
      await Promise.all([subject.close(), subject.close()])
      expect(await world.engine.users()).toEqual([])
      expect(await world.engine.leases('app')).toEqual([])
      expect(await tokens(world)).toBe(before)
    })

    it('close() before the first use, and during a rotation', async () => {
      const unused = await stage.subjectOn({ vault: await world.vaultOptions(), role: 'app' })
      await unused.close()
      const lease = await world.lease('60s', '120s')
      const subject = await stage.subjectOn({ lease })
      await subject.query()
      const rotation = lease.rotate().catch(() => {})
      await Promise.all([stage.closeAndCheck(subject, lease), rotation])
    })
  })
}

async function tokens({ vault }: World): Promise<number> {
  const { body } = await vault.must('LIST', 'auth/token/accessors')
  return body.data.keys.length
}
