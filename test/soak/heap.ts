import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

/** Megabytes, with two decimals, of what is in use after a collection. */
export function heapMbInUse(): number {
  collectGarbage()
  return Math.round((process.memoryUsage().heapUsed / 1_048_576) * 100) / 100
}
