import { availableParallelism, cpus } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const lookMs = 1_000

/**
 * How many test files run at a time: three on two cores, since most of a file is waiting; two where other work is at all of
 * them, which takes half of what there is.
 */
export async function filesAtOnce(): Promise<number> {
  const before = cpuTimes()
  await sleep(lookMs)
  const after = cpuTimes()
  const busy = (after.busy - before.busy) / (after.all - before.all)
  return Math.ceil(1.5 * availableParallelism() * (1 - busy / 2))
}

function cpuTimes(): { readonly busy: number; readonly all: number } {
  const times = cpus().map((core) => core.times)
  const all = times.flatMap((each) => Object.values(each)).reduce((sum, ms) => sum + ms, 0)
  return { busy: all - times.reduce((sum, { idle }) => sum + idle, 0), all }
}
