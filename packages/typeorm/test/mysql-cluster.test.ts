import type { VaultPool } from '@vault-lease/mysql2/adapter'
import { expect, it, vi } from 'vitest'
import { ManualClock } from '../../core/test/manual-clock.ts'
import { type ClusterOptions, LeasedCluster } from '../src/mysql-cluster.ts'

/** Two replicas that are asked through stand-ins, and the clock of the cluster. */
function clusterOf(options?: ClusterOptions) {
  const clock = new ManualClock()
  const dead = new Set<string>()
  const asked: string[] = []
  const poolOf = (name: string) => ({
    getConnection(done: (error: Error | null, connection?: unknown) => void): void {
      asked.push(name)
      if (dead.has(name)) done(new Error(`${name} is dead`))
      else done(null, { name })
    },
  })
  const names = ['SLAVE0', 'SLAVE1']
  const cluster = new LeasedCluster(({ host = '' }) => poolOf(host) as unknown as VaultPool, options, clock)
  for (const name of names) cluster.add(name, { host: name })
  const read = (): string[] => {
    asked.length = 0
    cluster.getConnection('SLAVE*', () => {})
    return [...asked]
  }
  return { clock, dead, read }
}

it('a replica that cannot be reached is asked once, and then again after a while', async () => {
  const { clock, dead, read } = clusterOf({ restoreNodeTimeout: 5_000 })
  dead.add('SLAVE0')
  expect(read()).toEqual(['SLAVE0', 'SLAVE1'])
  for (let n = 0; n < 6; n++) expect(read()).toEqual(['SLAVE1'])
  dead.clear()
  await clock.advance(5_000)
  expect([...read(), ...read()].sort()).toEqual(['SLAVE0', 'SLAVE1'])
})

it('it may fail as often as the option says, in a row', () => {
  const { dead, read } = clusterOf({ removeNodeErrorCount: 2 })
  dead.add('SLAVE0')
  expect(read()).toEqual(['SLAVE0', 'SLAVE1'])
  expect(read()).toEqual(['SLAVE1'])
  expect(read()).toEqual(['SLAVE0', 'SLAVE1'])
  for (let n = 0; n < 4; n++) expect(read()).toEqual(['SLAVE1'])
})

it('all of them are asked where none is well', () => {
  const { dead, read } = clusterOf()
  for (const name of ['SLAVE0', 'SLAVE1']) dead.add(name)
  expect(read()).toHaveLength(2)
  expect(read()).toHaveLength(2)
  dead.clear()
  expect(read()).toHaveLength(1)
})

it('they are asked in turn, by chance or in order, as the option says', () => {
  const ofThreeReads = (selector?: ClusterOptions['selector']) => {
    const { read } = clusterOf({ selector })
    return [read(), read(), read()].flat()
  }
  expect(ofThreeReads()).toEqual(['SLAVE0', 'SLAVE1', 'SLAVE0'])
  expect(ofThreeReads('RR')).toEqual(['SLAVE0', 'SLAVE1', 'SLAVE0'])
  expect(ofThreeReads('ORDER')).toEqual(['SLAVE0', 'SLAVE0', 'SLAVE0'])
  const random = vi
    .spyOn(Math, 'random')
    .mockReturnValueOnce(0.9)
    .mockReturnValueOnce(0.9)
    .mockReturnValueOnce(0)
  expect(ofThreeReads('RANDOM')).toEqual(['SLAVE1', 'SLAVE1', 'SLAVE0'])
  random.mockRestore()
})

it('the next one is asked in order when the first one is dead', () => {
  const { dead, read } = clusterOf({ selector: 'ORDER' })
  dead.add('SLAVE0')
  expect(read()).toEqual(['SLAVE0', 'SLAVE1'])
  expect(read()).toEqual(['SLAVE1'])
})

it('no other one is asked without canRetry, and the dead one is passed over from then on', () => {
  const { dead, read } = clusterOf({ canRetry: false })
  dead.add('SLAVE0')
  expect(read()).toEqual(['SLAVE0'])
  expect(read()).toEqual(['SLAVE1'])
})
