import { setTimeout as sleep } from 'node:timers/promises'
import {
  type DatabaseServer,
  hammer,
  startMariaDb,
  startMongo,
  startPostgres,
  startRedis,
} from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { startWorld, type World } from '../contract/world.ts'
import { type SubjectName, subjects } from '../subjects/index.ts'
import type { Subject } from '../subjects/subject.ts'
import { type Trouble, type TroubleName, troubles } from './troubles.ts'
import { TwoPools } from './two-pools.ts'

const workers = 4
const starts = { postgresql: startPostgres, mysql: startMariaDb, mongodb: startMongo, redis: startRedis }
const names = Object.keys(troubles) as TroubleName[]

/** Its patience is short. And postgres.js waits for up to 20 s by itself before it connects again. */
async function inUse(other: Subject): Promise<void> {
  await vi.waitFor(() => other.query(), { timeout: 30_000, interval: 100 })
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

    beforeAll(async () => {
      ;[world, elsewhere] = await Promise.all([startWorld(database), starts[database]()])
    })
    afterAll(() => Promise.all([world?.stop(), elsewhere?.stop()]))

    const troubleOf = (what: TroubleName): Trouble => troubles[what]({ there: world.database, elsewhere })

    /** In force, in a rotation and its drain, when it is over, and at the close of the one that has the trouble. */
    async function everyMoment(pools: TwoPools, { begin, end }: Trouble): Promise<void> {
      const { well, other, lease } = pools
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
        await end(pools)
        await inUse(other)
        await begin(pools)
      }
      await sleep(300)
      await Promise.all([other.close(), lease.rotate()])
      pools.stopPestering()
      await sleep(200)
    }

    async function wellWhile(
      { well, lease }: TwoPools,
      role: string,
      happening: () => Promise<unknown>,
    ): Promise<void> {
      let mostUsers = 0
      let slowestMs = 0
      let watching = true
      const counting = (async () => {
        while (watching) {
          const began = performance.now()
          mostUsers = Math.max(mostUsers, (await world.usersOf(role)).length)
          slowestMs = Math.max(slowestMs, performance.now() - began)
          await sleep(100)
        }
      })()
      const report = await hammer({ run: well, workers, thinkMs: 40, until: happening() }).finally(() => {
        watching = false
        return counting
      })
      expect(report.firstErrors).toEqual({})
      expect(report.queries).toBeGreaterThan(20)
      // A query of a new connection goes to and fro three times, each time as slow as the machine is.
      expect(report.p99Ms).toBeLessThan(1_000 + 3 * slowestMs)
      expect(report.maxMs).toBeLessThan(3_000 + 3 * slowestMs)
      expect(mostUsers).toBeGreaterThan(0)
      expect(mostUsers).toBeLessThanOrEqual(3)
      await well.close()
      await lease.close()
      expect(await world.usersOf(role)).toEqual([])
    }

    // The server of MongoDB does one thing at a time.
    const sideBySide = database === 'mongodb' ? describe : describe.concurrent
    sideBySide('one', () => {
      it.each(names.map((what, n) => [what, `later${n}`] as const))(
        'notices nothing when the other %s',
        async (what, role) => {
          await using pools = await TwoPools.open(name, world, role)
          await Promise.all([pools.well.query(), inUse(pools.other)])
          await wellWhile(pools, role, async () => {
            const trouble = troubleOf(what)
            await trouble.begin(pools)
            await everyMoment(pools, trouble)
          })
        },
      )

      it.each([
        ['refuses connections', 'first0'],
        ['hangs', 'first1'],
        ['refuses the user', 'first2'],
      ] as const)('gets its first credential when the other %s from the beginning', async (what, role) => {
        await using pools = await TwoPools.open(name, world, role)
        const trouble = troubleOf(what)
        await trouble.begin(pools)
        void pools.pester(() => pools.other.query(), 50)
        await sleep(100)
        const began = performance.now()
        await pools.well.query()
        expect(performance.now() - began).toBeLessThan(3_000)
        await wellWhile(pools, role, () => everyMoment(pools, trouble))
      })
    })
  })
}
