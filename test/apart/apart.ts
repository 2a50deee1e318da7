import { setTimeout as sleep } from 'node:timers/promises'
import type { LeaseManager } from '@vault-lease/core'
import {
  type DatabaseServer,
  type FaultProxy,
  hammer,
  openFaultProxy,
  startMariaDb,
  startMongo,
  startPostgres,
  startRedis,
} from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { startWorld, type World } from '../contract/world.ts'
import { leasedSubject, type SubjectName, subjects } from '../subjects/index.ts'
import type { HeldOpen, Subject } from '../subjects/subject.ts'

const max = 3
const workers = 4
const starts = { postgresql: startPostgres, mysql: startMariaDb, mongodb: startMongo, redis: startRedis }

/** What can befall the pool that is not well. */
interface Trouble {
  begin(): unknown
  /** None: it does not end. */
  end?(): unknown
}

/**
 * What every adapter promises of two pools on one lease: whatever befalls one of them, at whatever moment, the other notices
 * nothing. Each trouble is there from the beginning, or comes later, and stays in force, in rotations, in a drain, and when the
 * pool that has it closes.
 */
export function apart(name: SubjectName): void {
  const { database } = subjects[name]
  describe(`${name}: two pools on one lease`, () => {
    let world: World
    let elsewhere: DatabaseServer
    let way: FaultProxy
    let lease: LeaseManager
    let well: Subject
    let other: Subject
    let held: HeldOpen[] = []

    beforeAll(async () => {
      ;[world, elsewhere] = await Promise.all([startWorld(database), starts[database]()])
    })
    afterAll(() => Promise.all([world?.stop(), elsewhere?.stop()]))
    afterEach(async () => {
      await Promise.race([Promise.all([other?.close(), well?.close()]), sleep(3_000)])
      await world.closeLeases()
      await way?.[Symbol.asyncDispose]()
    })

    const open = async (): Promise<void> => {
      way = await openFaultProxy(world.database)
      lease = await world.lease('8s', '16s')
      const log = world.secrets.look
      const place = { users: world.database, max, log }
      well = await leasedSubject(
        name,
        { ...place, server: world.database, acquireTimeoutMs: 10_000 },
        { lease },
      )
      const server = { host: way.host, port: way.port, database: world.database.database }
      other = await leasedSubject(name, { ...place, server, acquireTimeoutMs: 1_000 }, { lease })
    }

    const troubles: Readonly<Record<string, Trouble>> = {
      'refuses connections': {
        begin: () => way.set({ kind: 'cut' }),
        end: () => way.set({ kind: 'none' }),
      },
      hangs: {
        begin: () => way.set({ kind: 'hang' }),
        end: () => way.set({ kind: 'none' }),
      },
      'refuses the user': {
        begin: () => way.redirect(elsewhere),
        end: () => way.redirect(world.database),
      },
      'is slow': {
        begin: () => way.set({ kind: 'latency', ms: 700 }),
        end: () => way.set({ kind: 'none' }),
      },
      'is exhausted by its holders': {
        async begin() {
          held = await Promise.all(Array.from({ length: max }, () => other.openTransaction()))
        },
        async end() {
          await Promise.allSettled(held.splice(0).map((each) => each.finish()))
        },
      },
      'is denied statement after statement': {
        begin: () => void pester(() => other.deniedQuery(), 10),
        end: () => stopPestering(),
      },
      'has ended': { begin: () => void other.close() },
    }

    let pestering = false
    const stopPestering = (): void => {
      pestering = false
    }
    const pester = async (ask: () => Promise<unknown>, everyMs = 50): Promise<void> => {
      pestering = true
      while (pestering) {
        await ask().catch((error: unknown) => world.secrets.look(error))
        await sleep(everyMs)
      }
    }

    /** In force, in a rotation and its drain, when it is over, and at the close of the one that has the trouble. */
    async function everyMoment({ begin, end }: Trouble): Promise<void> {
      await sleep(500)
      const holder = await well.openTransaction()
      const user = await holder.step()
      await lease.rotate()
      await well.query()
      await sleep(300)
      // The server of MongoDB does not tell of every connection who it belongs to.
      const same = await holder.step()
      if (database !== 'mongodb') expect(same).toBe(user)
      await holder.finish()
      await lease.rotate()
      if (end) {
        await end()
        // postgres.js waits for up to 20 s by itself before it connects again.
        await vi.waitFor(() => other.query(), { timeout: 30_000, interval: 100 })
        await begin()
      }
      await sleep(300)
      await Promise.all([other.close(), lease.rotate()])
      stopPestering()
      await sleep(200)
    }

    async function wellWhile(happening: () => Promise<unknown>): Promise<void> {
      let mostUsers = 0
      let watching = true
      const counting = (async () => {
        while (watching) {
          mostUsers = Math.max(mostUsers, (await world.engine.users()).length)
          await sleep(100)
        }
      })()
      const report = await hammer({ run: well, workers, thinkMs: 10, until: happening() }).finally(() => {
        watching = false
        return counting
      })
      expect(report.firstErrors).toEqual({})
      expect(report.queries).toBeGreaterThan(100)
      expect(report.p99Ms).toBeLessThan(1_000)
      expect(report.maxMs).toBeLessThan(3_000)
      expect(mostUsers).toBeLessThanOrEqual(3)
      await well.close()
      await lease.close()
      expect(await world.engine.users()).toEqual([])
    }

    it.each(Object.keys(troubles))('one notices nothing when the other %s', async (what) => {
      const trouble = troubles[what] as Trouble
      await open()
      await Promise.all([well.query(), other.query()])
      await wellWhile(async () => {
        await trouble.begin()
        await everyMoment(trouble)
      })
    })

    it.each(['refuses connections', 'hangs', 'refuses the user'])(
      'one gets its first credential when the other %s from the beginning',
      async (what) => {
        const trouble = troubles[what] as Trouble
        await open()
        await trouble.begin()
        void pester(() => other.query())
        await sleep(100)
        const began = performance.now()
        await well.query()
        expect(performance.now() - began).toBeLessThan(3_000)
        await wellWhile(() => everyMoment(trouble))
      },
    )
  })
}
