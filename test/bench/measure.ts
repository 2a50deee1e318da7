import { createHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLease, token } from '@vault-lease/core'
import { hammer } from '@vault-lease/testing'
import { leasedSubject, staticSubject } from '../subjects/index.ts'
import type { Subject } from '../subjects/subject.ts'
import type { Measurement, SidePlan, Step } from './load.ts'
import { lowerQuarterOf } from './spread.ts'

/** A pool, which counts what it does under load. */
export interface MeasuredSide {
  warmUp(workers: number): Promise<void>
  turn(turn: Extract<Step, { step: 'turn' }>): Promise<void>
  /** What it did since it was warm. */
  report(): Measurement
  close(): Promise<void>
}

/** Until what is hot is compiled. */
const warmUpMs = 2_000
const shortQueriesOnly = { query: 1, transaction: 0, stream: 0 }
const microseconds = 1_000

export async function openSide(plan: SidePlan): Promise<MeasuredSide> {
  const { subject, rotate, close } = await (plan.side === 'static' ? openStatic : openLeased)(plan)
  const latencies = createHistogram()
  const turns: { readonly msPerQuery: number; readonly cpuMicrosecondsPerQuery: number }[] = []
  let failedQueries = 0
  let heapBytes = 0
  const onResult = ({ latencyMs }: { latencyMs: number }): void =>
    latencies.record(Math.max(1, Math.round(latencyMs * microseconds)))
  return {
    async warmUp(workers) {
      await hammer({ run: subject, workers, mix: shortQueriesOnly, until: warmUpMs })
      collectGarbage()
      latencies.reset()
      turns.length = 0
      failedQueries = 0
      heapBytes = process.memoryUsage().heapUsed
    },
    async turn({ workers, lastingMs, rotate: rotates }) {
      const before = process.cpuUsage()
      // Early, so that the connections have had their turns within this one.
      const rotating = rotates ? sleep(lastingMs / 4).then(rotate) : undefined
      const load = { run: subject, workers, mix: shortQueriesOnly }
      const { queries, failed, firstErrors, tookMs } = await hammer({ ...load, until: lastingMs, onResult })
      await rotating
      for (const error of Object.values(firstErrors)) console.error(error)
      const { user, system } = process.cpuUsage(before)
      failedQueries += failed
      turns.push({ msPerQuery: tookMs / queries, cpuMicrosecondsPerQuery: (user + system) / queries })
    },
    report: () => ({
      queries: latencies.count,
      failed: failedQueries,
      queriesPerSecond: 1_000 / lowerQuarterOf(turns.map(({ msPerQuery }) => msPerQuery)),
      p50Ms: latencies.percentile(50) / microseconds,
      p99Ms: latencies.percentile(99) / microseconds,
      cpuMicrosecondsPerQuery: lowerQuarterOf(turns.map((turn) => turn.cpuMicrosecondsPerQuery)),
      heapBytes,
    }),
    close,
  }
}

interface OpenPool {
  readonly subject: Subject
  rotate(): Promise<void>
  close(): Promise<void>
}

/** The plain driver with a user and a password. */
async function openStatic({ adapter, place, login }: SidePlan): Promise<OpenPool> {
  const subject = await staticSubject(adapter, place, login)
  return { subject, rotate: async () => {}, close: () => subject.close() }
}

/** The same over a lease. */
async function openLeased({ adapter, place, vault }: SidePlan): Promise<OpenPool> {
  const { address, role } = vault
  const lease = createLease({ vault: { address, auth: token(vault.token) }, role })
  await lease.ready()
  const subject = await leasedSubject(adapter, place, { lease })
  const close = async (): Promise<void> => {
    await subject.close()
    await lease.close()
  }
  return { subject, rotate: () => lease.rotate(), close }
}

/** @throws Error when node was started without --expose-gc. */
function collectGarbage(): void {
  if (!globalThis.gc) throw new Error('The heap can only be measured with node --expose-gc.')
  globalThis.gc()
}
