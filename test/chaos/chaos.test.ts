import { describe, expect, it } from 'vitest'
import { leakIn, watchSecrets } from '../secret-watch.ts'
import { faults, parseOptions } from './options.ts'
import { run } from './run.ts'
import { tableOf } from './table.ts'
import { type LifeEvent, spansWithout, unexcused } from './verdict.ts'
import { allKinds, makeWorld } from './world.ts'

describe('whether a failure is excused', () => {
  const alive = (at: number, until: number): LifeEvent => ({ at, is: 'alive', until })
  const dropped = (at: number, gone: boolean): LifeEvent => ({ at, is: 'dropped', gone })

  it('by the end of the lease, until the next credential', () => {
    expect(spansWithout([alive(0, 1_000), dropped(1_000, false), alive(3_000, 9_000)], 9_000)).toEqual([
      { from: 1_000, to: 3_000 },
    ])
  })

  it('by a database that has dropped the user', () => {
    expect(spansWithout([alive(0, 9_000), dropped(500, true)], 2_000)).toEqual([{ from: 500, to: 2_000 }])
  })

  it('not by a live credential that was given up', () => {
    expect(spansWithout([alive(0, 9_000), dropped(500, false), alive(3_000, 9_000)], 9_000)).toEqual([])
  })

  it('when it overlaps, and not before or after', () => {
    const failure = (from: number, to: number) => ({ from, to, error: undefined })
    const failures = [
      failure(0, 90),
      failure(95, 105),
      failure(150, 160),
      failure(199, 250),
      failure(201, 210),
    ]
    expect(unexcused(failures, [{ from: 100, to: 200 }])).toEqual([failure(0, 90), failure(201, 210)])
  })
})

describe('the fault suite', () => {
  it('knows its faults by name', () => {
    expect(parseOptions(['--only', 'seal,cut', '--only', 'hang']).faults.map(({ name }) => name)).toEqual([
      'seal',
      'cut',
      'hang',
    ])
    expect(new Set(faults.map(({ name }) => name)).size).toBe(faults.length)
    expect(() => parseOptions(['--only', 'sael'])).toThrow('there is no such fault')
    expect(() => parseOptions(['--adapter', 'oracle'])).toThrow('there is no such adapter')
  })

  it('tells what faults do to an adapter', async () => {
    await using world = await makeWorld.single(['postgresql'])
    const rows = []
    const secrets = watchSecrets()
    for (const { name } of [{ name: 'cut' }, { name: 'leases-revoked' }, { name: 'database-restarted' }]) {
      const fault = faults.find((each) => each.name === name)
      if (fault) rows.push(...(await run(fault, ['pg'], world, secrets)))
    }
    expect(rows).toHaveLength(3)
    for (const row of rows)
      expect(row).toMatchObject({ adapter: 'pg', failedWhileCredentialAlive: 0, usersLeft: 0 })
    for (const { queries, msToNormal } of rows) {
      expect(queries).toBeGreaterThan(50)
      expect(msToNormal).toBeLessThan(10_000)
    }
    expect(rows[0]).toMatchObject({ fault: 'cut', failed: 0 })
    expect(secrets.known()).toBeGreaterThan(3)
    expect(leakIn(secrets)).toBeUndefined()
    expect(tableOf(rows).split('\n')).toHaveLength(4)
  })

  it('tells what a faulty way to the database does to an adapter of each', async () => {
    await using world = await makeWorld.single(allKinds())
    const rows = []
    const secrets = watchSecrets()
    for (const name of [
      'database-hangs-in-prove',
      'database-is-half-open-in-drain',
      'database-is-slow-in-prove',
      'database-hangs-at-close',
    ]) {
      const fault = faults.find((each) => each.name === name)
      if (fault) rows.push(...(await run(fault, ['pg', 'mysql2', 'mongodb'], world, secrets)))
    }
    expect(rows).toHaveLength(12)
    for (const row of rows) {
      expect(row).toMatchObject({ failedWhileCredentialAlive: 0, usersLeft: 0 })
      expect(row.queries).toBeGreaterThan(20)
      expect(row.msToNormal).toBeLessThan(10_000)
    }
  }, 180_000)
})
