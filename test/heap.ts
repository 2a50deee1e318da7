import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')
const settleMs = 100

/** Megabytes, with two decimals, of what is in use after a collection. */
export function heapMbInUse(): number {
  collectGarbage()
  return Math.round((process.memoryUsage().heapUsed / 1_048_576) * 100) / 100
}

/** Bytes of what is in use when what was under way has come to rest. */
export async function heapAtRest(): Promise<number> {
  for (let round = 0; round < 2; round++) {
    await sleep(settleMs)
    collectGarbage()
  }
  return process.memoryUsage().heapUsed
}
