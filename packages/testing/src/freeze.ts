import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { signalIfThere } from './server-process.ts'

const stopsWithinMs = 2_000
const pauseMs = 1

/** Stops a process, and returns when none of its threads runs any more: on a busy machine that is some time after the signal. */
export function freeze(pid: number): void {
  signalIfThere(pid, 'SIGSTOP')
  const nothing = new Int32Array(new SharedArrayBuffer(4))
  for (const end = Date.now() + stopsWithinMs; runs(pid) && Date.now() < end; )
    Atomics.wait(nothing, 0, 0, pauseMs)
}

/** As Linux tells it (proc(5), /proc/pid/task/tid/stat); elsewhere nobody does. */
function runs(pid: number): boolean {
  const tasks = `/proc/${pid}/task`
  if (!existsSync(tasks)) return false
  try {
    return readdirSync(tasks).some(
      (thread) => !/\) [TtZX] /.test(readFileSync(`${tasks}/${thread}/stat`, 'utf8')),
    )
  } catch {
    // A thread, or all of it, has ended in between.
    return existsSync(tasks)
  }
}
