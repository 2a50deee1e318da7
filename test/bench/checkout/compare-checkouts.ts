import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { lowerQuarterOf, spreadOf } from '../spread.ts'
import { type PoolName, poolNames, type SideName } from './pools.ts'

/** An operation of MongoDB takes and gives back by itself. */
const goalNs: Readonly<Record<PoolName, number>> = {
  pg: 300,
  knex: 300,
  mysql2: 300,
  'prisma-mysql': 300,
  mongodb: 1_000,
}
const side = fileURLToPath(new URL('./checkout/side.js', import.meta.url))
const run = promisify(execFile)

/** The real pools over connections that answer at once: what a lease adds to taking a connection and giving it back. */
export async function compareCheckouts({ rounds, json }: { rounds: number; json: string }): Promise<void> {
  console.log(`A connection is taken and given back, over a driver that answers at once: nanoseconds, each side in a process
of its own, in turns. Of ${rounds} rounds the quickest but a quarter: a machine that is slow now and then tells nothing.
pool          static (min-max)   leased (min-max)   added`)
  const lines = []
  for (const pool of poolNames) {
    const pairs: Record<SideName, number>[] = []
    for (let round = 0; round < rounds; round++) pairs.push(await pairOf(pool, round % 2 === 0))
    const of = (side: SideName): number[] => pairs.map((pair) => pair[side])
    const added = lowerQuarterOf(of('leased')) - lowerQuarterOf(of('static'))
    const goal = `<= ${goalNs[pool]}`
    const met = added <= goalNs[pool]
    lines.push({ pool, added, goal, met, pairs })
    const cells = [of('static'), of('leased')].map((figures) => describe(figures).padEnd(18))
    console.log(`${pool.padEnd(13)} ${cells.join(' ')} ${added.toFixed(0)} ${goal} ${met ? 'met' : 'missed'}`)
  }
  writeFileSync(json, `${JSON.stringify({ node: process.version, rounds, lines }, undefined, 2)}\n`)
  console.log(`Figures: ${resolve(json)}`)
}

function describe(figures: readonly number[]): string {
  const { min, max } = spreadOf(figures)
  return `${lowerQuarterOf(figures).toFixed(0)} (${min.toFixed(0)}-${max.toFixed(0)})`
}

async function pairOf(pool: PoolName, staticFirst: boolean): Promise<Record<SideName, number>> {
  const order = staticFirst ? (['static', 'leased'] as const) : (['leased', 'static'] as const)
  const pair = { static: 0, leased: 0 }
  for (const name of order) pair[name] = await nanosecondsOf(pool, name)
  return pair
}

/** A tenth of the batches are faster: what other work on the machine adds to the rest does not count. */
async function nanosecondsOf(pool: PoolName, name: SideName): Promise<number> {
  const { stdout } = await run(process.execPath, [side, pool, name])
  const sorted = (JSON.parse(stdout) as number[]).sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 10)] ?? Number.NaN
}
