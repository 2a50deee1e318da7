// Both pools of a pair, in turns: prints the nanoseconds of CPU that a checkout takes, turn after turn.
import { type MeasuredPool, makePool, type PoolName, type SideName } from './pools.ts'

const warmUpMs = 1_500
const turns = 400
const turnMs = 2

const name = process.argv[2] as PoolName
const pools = { static: await makePool[name]('static'), leased: await makePool[name]('leased') }
const checkoutsOfTurn = Math.ceil(turnMs / (await warmUp()))
const nanoseconds: Record<SideName, number[]> = { static: [], leased: [] }
for (let turn = 0; turn < turns; turn++) {
  const order = turn % 2 === 0 ? (['static', 'leased'] as const) : (['leased', 'static'] as const)
  for (const side of order) nanoseconds[side].push(await cpuOf(pools[side]))
}
process.stdout.write(JSON.stringify(nanoseconds))
await Promise.all([pools.static.close(), pools.leased.close()])

/** Returns the milliseconds of a checkout at its end. */
async function warmUp(): Promise<number> {
  const checkouts = 100
  let last = 0
  for (const until = performance.now() + warmUpMs; performance.now() < until; ) {
    const began = performance.now()
    for (const pool of [pools.static, pools.leased]) await take(pool, checkouts)
    last = (performance.now() - began) / checkouts / 2
  }
  return last
}

/** What other work takes of the machine meanwhile does not count. */
async function cpuOf(pool: MeasuredPool): Promise<number> {
  const before = process.cpuUsage()
  await take(pool, checkoutsOfTurn)
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1_000) / checkoutsOfTurn
}

async function take(pool: MeasuredPool, count: number): Promise<void> {
  for (let left = count; left > 0; left--) await pool.checkout()
}
