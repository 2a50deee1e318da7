import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { lowerQuarterOf, type Spread, spreadOf } from '../spread.ts'
import { type PoolName, poolNames, type SideName } from './pools.ts'

/** An operation of MongoDB takes and gives back by itself; a command of Redis takes nothing. */
const goalNs: Readonly<Record<PoolName, number>> = {
  pg: 300,
  knex: 300,
  mysql2: 300,
  'prisma-mysql': 300,
  mongodb: 1_000,
  ioredis: 300,
  'node-redis': 300,
}
const pair = fileURLToPath(new URL('./checkout/pair.js', import.meta.url))
const run = promisify(execFile)

/** The real pools over connections that answer at once: what a lease adds to taking a connection and giving it back. */
export async function compareCheckouts({ rounds, json }: { rounds: number; json: string }): Promise<void> {
  console.log(`A connection is taken and given back, or a command sent, over a driver that answers at once: nanoseconds of CPU, both sides in one process
in short turns, of which a quarter is quicker. Of ${rounds} processes the middle, and the extremes.
pool          static (min-max)   leased (min-max)   added (min-max)`)
  const lines = []
  for (const pool of poolNames) {
    const pairs: Record<SideName, number>[] = []
    for (let round = 0; round < rounds; round++) pairs.push(await pairOf(pool))
    const added = spreadOf(pairs.map((each) => each.leased - each.static))
    const goal = `<= ${goalNs[pool]}`
    const met = added.median <= goalNs[pool]
    lines.push({ pool, added, goal, met, pairs })
    const sides = (['static', 'leased'] as const).map((side) => spreadOf(pairs.map((each) => each[side])))
    const cells = [...sides, added].map((spread) => describe(spread).padEnd(18))
    console.log(`${pool.padEnd(13)} ${cells.join(' ')} ${goal} ${met ? 'met' : 'missed'}`)
  }
  writeFileSync(json, `${JSON.stringify({ node: process.version, rounds, lines }, undefined, 2)}\n`)
  console.log(`Figures: ${resolve(json)}`)
}

function describe({ median, min, max }: Spread): string {
  return `${median.toFixed(0)} (${min.toFixed(0)}-${max.toFixed(0)})`
}

async function pairOf(pool: PoolName): Promise<Record<SideName, number>> {
  const { stdout } = await run(process.execPath, [pair, pool])
  const { static: ofStatic, leased } = JSON.parse(stdout) as Record<SideName, number[]>
  return { static: lowerQuarterOf(ofStatic), leased: lowerQuarterOf(leased) }
}
