// One side of a pool, in a process of its own: prints the nanoseconds of one checkout, batch after batch.
import { makePool, type PoolName, type SideName } from './pools.ts'

const warmUpCheckouts = 50_000
const batches = 60
const batchCheckouts = 2_000

const [name, side] = process.argv.slice(2) as [PoolName, SideName]
const pool = await makePool[name](side)
await checkouts(warmUpCheckouts)
const nanoseconds: number[] = []
for (let batch = 0; batch < batches; batch++) {
  const began = process.hrtime.bigint()
  await checkouts(batchCheckouts)
  nanoseconds.push(Number(process.hrtime.bigint() - began) / batchCheckouts)
}
process.stdout.write(JSON.stringify(nanoseconds))
await pool.close()

async function checkouts(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await pool.checkout()
}
