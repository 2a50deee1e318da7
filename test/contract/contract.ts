import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { CredentialsUnavailableError, type LeaseManager, type LeaseOptions } from '@vault-lease/core'
import {
  type HammerReport,
  hammer,
  openFaultProxy,
  type SessionReport,
  watchSessions,
} from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { SecretWatch } from '../secret-watch.ts'
import { leasedSubject, type SubjectName, subjects } from '../subjects/index.ts'
import type { HeldOpen, Subject } from '../subjects/subject.ts'
import { expectNoSecrets, leakOfDebugged } from './secrets.ts'
import { tellingOf } from './telling.ts'
import { startWorld, type World } from './world.ts'

const max = 5
const workers = 20
/** Of `killed.ts`: its time to drain, and what is added so that the revocation comes before the end. */
const longestDrainSeconds = 10

/**
 * What every adapter promises, run against real servers. Each adapter runs this same function.
 *
 * @param name the adapter's name in `subjects/`; it is also run in a process of its own that gets killed.
 */
export function contract(name: SubjectName): void {
  const { database, pools = 1, logins = 0, pipelines } = subjects[name]
  const peak = max * pools + logins
  const underWay = pipelines ? workers : max
  describe(`${name}: the contract`, () => {
    let world: World
    let secrets: SecretWatch

    beforeAll(async () => {
      world = await startWorld(database)
      secrets = world.secrets
    })
    afterAll(() => world?.stop())

    let dropsBefore = 0
    beforeEach(async () => {
      dropsBefore = (await world.engine.drops()).length
    })

    const opened: Subject[] = []
    const subjectOn = async (from: { lease: LeaseManager } | LeaseOptions): Promise<Subject> => {
      const subject = await leasedSubject(
        name,
        { server: world.database, users: world.database, max, acquireTimeoutMs: 10_000, log: secrets.look },
        from,
      )
      opened.push(subject)
      return subject
    }
    /** What one test leaves behind by failing must not fail the next. */
    afterEach(async () => {
      await world.vault.start()
      await Promise.race([Promise.all(opened.splice(0).map((subject) => subject.close())), sleep(3_000)])
      await world.closeLeases()
      await world.engine.revokePrefix('app')
    })

    /** Hammers a subject while something happens, and says what it saw. */
    async function underLoad(subject: Subject, happening: () => Promise<unknown>): Promise<HammerReport> {
      return await hammer({
        run: subject,
        workers,
        until: happening(),
        onResult: ({ error }) => error !== undefined && secrets.look(error),
      })
    }

    /** The same, and what the server saw. */
    async function watchedUnderLoad(
      subject: Subject,
      happening: () => Promise<unknown>,
    ): Promise<{ report: HammerReport; seen: SessionReport }> {
      const watch = await watchSessions(world.database, { everyMs: 2 })
      const report = await underLoad(subject, happening)
      return { report, seen: await watch.stop() }
    }

    async function revokedUnderLoad(
      before: (subject: Subject) => Promise<void>,
    ): Promise<{ readonly failed: number }> {
      const lease = await world.lease('60s', '120s')
      const subject = await subjectOn({ lease })
      await subject.query()
      let revokedAt = 0
      let lastFailureAt = 0
      let failed = 0
      const watch = await watchSessions(world.database)
      const report = await hammer({
        run: subject,
        workers,
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
      expect(report.queries).toBeGreaterThan(100)
      expect(lastFailureAt - revokedAt).toBeLessThan(1_000)
      expect(lease.status().state).toBe('ready')
      expect(seen.mostAtOnce).toBeLessThanOrEqual(peak)
      await subject.close()
      await lease.close()
      expect(await world.engine.users()).toEqual([])
      return { failed }
    }

    async function closeAndCheck(subject: Subject, lease: LeaseManager): Promise<void> {
      for (const each of [...subject.inspectables(), lease, lease.status()]) secrets.look(each)
      await subject.close()
      await lease.close()
      expect(await world.engine.users()).toEqual([])
      expect(await world.engine.leases('app')).toEqual([])
      const drops = (await world.engine.drops()).slice(dropsBefore)
      expect(drops.filter(({ openSessions }) => openSessions > 0)).toEqual([])
    }

    it('rotates 20 times under load: no query fails, no session is open at a drop, never more sessions than promised', async () => {
      const lease = await world.lease('10s', '30s')
      const subject = await subjectOn({ lease })
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
      await closeAndCheck(subject, lease)
      expect((await world.engine.drops()).length).toBeGreaterThanOrEqual(21)
    })

    it('rotates by itself, by TTL and max TTL', async () => {
      const lease = await world.lease('4s', '8s')
      const subject = await subjectOn({ lease })
      const report = await underLoad(subject, async () => {
        while (lease.status().generation < 3) await sleep(100)
        await untilRetired(lease)
      })
      expect(report.firstErrors).toEqual({})
      await closeAndCheck(subject, lease)
    })

    it('finishes an open transaction and an open cursor across a rotation, as the user who began them', async () => {
      const lease = await world.lease('60s', '120s')
      const subject = await subjectOn({ lease })
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
      await closeAndCheck(subject, lease)
    })

    it('serves every queued acquire: 50 on a pool of 5', async () => {
      const lease = await world.lease('60s', '120s')
      const subject = await subjectOn({ lease })
      await subject.query()
      const queued = Array.from({ length: 50 }, () => subject.transaction(40))
      await sleep(20)
      await lease.rotate()
      await Promise.all(queued)
      await closeAndCheck(subject, lease)
    })

    it('serves what is queued when it closes', async () => {
      const lease = await world.lease('60s', '120s')
      const subject = await subjectOn({ lease })
      await subject.query()
      const queued = Array.from({ length: 20 }, () => subject.transaction(20))
      await Promise.all([...queued, closeAndCheck(subject, lease)])
    })

    it('closes what is still held at the deadline, with an error that says so, and goes on', async () => {
      const lease = await world.lease('60s', '120s', { rotation: { drainTimeoutMs: 300 } })
      const subject = await subjectOn({ lease })
      const held = await Promise.all([subject.openTransaction(), subject.openCursor()])
      for (const each of held) await each.step()
      const retired = once(lease, 'retired')
      await lease.rotate()
      const [{ forced }] = await retired
      expect(forced).toBe(2)
      for (const each of held) {
        const error = await toTheEnd(each).catch((failure: unknown) => failure)
        secrets.look(error)
        expect(error).toMatchObject({
          code: 'ERR_CONNECTION_RETIRED',
          message: expect.stringMatching(/belonged to the database user "[vV][-_].*rotation\.drainTimeoutMs/),
        })
        await each.finish().catch(() => {})
      }
      await subject.query()
      await closeAndCheck(subject, lease)
    })

    it('Vault away for longer than a renewal but shorter than the lease: no query fails', async () => {
      const { hostname: host, port } = new URL(world.vault.address)
      await using way = await openFaultProxy({ host, port: Number(port) })
      const lease = await world.lease('15s', '120s', { address: `http://${way.host}:${way.port}` })
      const subject = await subjectOn({ lease })
      await subject.query()
      await sleep(8_000)
      const report = await underLoad(subject, async () => {
        way.set({ kind: 'cut' })
        await once(lease, 'failed')
        expect(lease.status().state).toBe('degraded')
        // A server that would have to start first might come, on a busy machine, when a rotation has taken the renewal's place.
        way.set({ kind: 'none' })
        await once(lease, 'renewed')
      })
      expect(report.firstErrors).toEqual({})
      expect(lease.status()).toMatchObject({ state: 'ready', generation: 1 })
      await closeAndCheck(subject, lease)
    })

    it('Vault stopped for longer than the lease: typed errors at once, then recovery by itself', async () => {
      const lease = await world.lease('3s', '60s')
      const subject = await subjectOn({ lease })
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
      await closeAndCheck(subject, lease)
    })

    it('the database restarted under load: recovery', async () => {
      const lease = await world.lease('60s', '120s')
      const subject = await subjectOn({ lease })
      await subject.query()
      const report = await underLoad(subject, async () => {
        await sleep(300)
        await world.database.restart()
        await sleep(700)
      })
      expect(report.failed).toBeGreaterThan(0)
      const calm = await underLoad(subject, () => sleep(500))
      expect(calm.firstErrors).toEqual({})
      await closeAndCheck(subject, lease)
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
      const subject = await subjectOn({ lease })
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
      await closeAndCheck(subject, lease)
    })

    it('close() leaves no user, no lease and no token, and closing twice is closing once', async () => {
      await world.engine.role('app', { ttl: '60s', maxTtl: '120s' })
      const before = await tokens(world)
      const subject = await subjectOn({ vault: await world.vaultOptions(), role: 'app' })
      await subject.query()
      expect(await world.engine.users()).toHaveLength(1)
      expect(await tokens(world)).toBe(before + 1)
      await Promise.all([subject.close(), subject.close()])
      expect(await world.engine.users()).toEqual([])
      expect(await world.engine.leases('app')).toEqual([])
      expect(await tokens(world)).toBe(before)
    })

    it('close() before the first use, and during a rotation', async () => {
      const unused = await subjectOn({ vault: await world.vaultOptions(), role: 'app' })
      await unused.close()
      const lease = await world.lease('60s', '120s')
      const subject = await subjectOn({ lease })
      await subject.query()
      const rotation = lease.rotate().catch(() => {})
      await Promise.all([closeAndCheck(subject, lease), rotation])
    })

    it('killed in mid-drain, it leaves no user longer than the shortened lease', async () => {
      await world.engine.role('app', { ttl: '1h', maxTtl: '2h' })
      const child = spawn(
        process.execPath,
        [
          '--import',
          'tsx',
          '--conditions=@vault-lease/source',
          fileURLToPath(new URL('./killed.ts', import.meta.url)),
          name,
        ],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
          env: {
            ...process.env,
            VAULT_ADDR: world.vault.address,
            VAULT_TOKEN: await world.engine.createToken(),
            DB_HOST: world.database.host,
            DB_PORT: String(world.database.port),
            DB_NAME: world.database.database,
          },
        },
      )
      const lines = createInterface({ input: child.stdout })
      const [oldUser] = await once(lines, 'line')
      while ((await shortestTtl(world)) > longestDrainSeconds) await sleep(20)
      child.kill('SIGKILL')
      await once(child, 'exit')
      expect(await world.engine.users()).toContain(oldUser)
      while ((await world.engine.users()).includes(oldUser)) await sleep(200)
      await world.engine.revokePrefix('app')
    })

    it('prints no secret when everything is debugged, and leaves none in memory once it is closed', async () => {
      await world.engine.role('app', { ttl: '60s', maxTtl: '120s' })
      const leak = await leakOfDebugged(name, world)
      if (leak !== undefined) expect.fail(leak)
    })

    it('no secret in any error, event, status or inspection of all this', () => {
      expectNoSecrets(secrets)
      expect(secrets.known()).toBeGreaterThan(50)
    })
  })
}

/** What a cursor has read ahead is still given out. */
async function toTheEnd(held: HeldOpen): Promise<void> {
  for (let step = 0; step < 50; step++) await held.step()
}

async function untilRetired(lease: LeaseManager): Promise<void> {
  while (lease.status().retiring.length > 0) await sleep(10)
}

/** In seconds, of the leases that there are. */
async function shortestTtl({ engine, vault }: World): Promise<number> {
  const ttls = (await engine.leases('app')).map(async (id) => {
    const { body } = await vault.call('PUT', 'sys/leases/lookup', {
      lease_id: `${engine.mount}/creds/app/${id}`,
    })
    return body.data?.ttl ?? Number.POSITIVE_INFINITY
  })
  return Math.min(...(await Promise.all(ttls)))
}

async function tokens({ vault }: World): Promise<number> {
  const { body } = await vault.must('LIST', 'auth/token/accessors')
  return body.data.keys.length
}
