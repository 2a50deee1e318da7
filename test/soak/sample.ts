import { countTimers } from './timers.ts'

/** What a process has at a moment. */
export interface Sample {
  /** Measured after a collection. */
  readonly heapMb: number
  /** What keeps the process alive beside timers: sockets, for the most part. */
  readonly handles: number
  /** All of them, whether they keep the process alive or not. */
  readonly timers: number
  /** Of the lease and of the process. */
  readonly listeners: number
}

/** Collects the heap, which takes a good part of a second where much is loaded. */
export function sampleOf(lease: NodeJS.EventEmitter): Sample {
  // Before the heap is measured, because it collects it.
  const timers = countTimers()
  const handles = process.getActiveResourcesInfo().filter((name) => name !== 'Timeout')
  const emitters: readonly NodeJS.EventEmitter[] = [lease, process]
  const listeners = emitters.flatMap((each) => each.eventNames().map((name) => each.listenerCount(name)))
  return {
    heapMb: Math.round((process.memoryUsage().heapUsed / 1_048_576) * 100) / 100,
    handles: handles.length,
    timers,
    listeners: listeners.reduce((sum, count) => sum + count, 0),
  }
}
