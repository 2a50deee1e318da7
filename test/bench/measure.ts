import { setTimeout as sleep } from 'node:timers/promises'
import { createLease, token } from '@vault-lease/core'
import { type HammerReport, hammer } from '@vault-lease/testing'
import { type SubjectName, statics, subjects } from '../subjects/index.ts'
import type { Subject } from '../subjects/subject.ts'
import { type BenchServers, role } from './bench-servers.ts'

/** One line of the result: an adapter under one load. */
export interface Scenario {
  readonly adapter: SubjectName
  readonly workers: number
  readonly rotations: boolean
  readonly seconds: number
}

/** What one side did in one measurement. */
export interface Measurement {
  readonly queries: number
  readonly failed: number
  readonly queriesPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** The heap after a full collection, while the pool is open. */
  readonly heapBytes: number
  readonly rotations: number
}

/** A pool that was made for one measurement. */
interface Side {
  readonly subject: Subject
  rotate(): Promise<void>
  close(): Promise<void>
}

export const warmUpMs = 700
const rotateEveryMs = 5_000
/** The first rotation comes half an interval in, so that it and what follows it fall into a short measurement too. */
const firstRotationMs = rotateEveryMs / 2
const poolMax = 10
const shortQueriesOnly = { query: 1, transaction: 0, stream: 0 }

/** The plain driver with a user and a password. */
export async function measureStatic(servers: BenchServers, scenario: Scenario): Promise<Measurement> {
  const subject = statics[scenario.adapter](placeOn(servers), servers.staticLogin)
  return await measure({ subject, rotate: async () => {}, close: () => subject.close() }, scenario)
}

/** The same over a lease. */
export async function measureLeased(servers: BenchServers, scenario: Scenario): Promise<Measurement> {
  const auth = token(await servers.engine.createToken())
  const lease = createLease({ vault: { address: servers.vault.address, auth }, role })
  await lease.ready()
  const subject = subjects[scenario.adapter](placeOn(servers), { lease })
  const close = async (): Promise<void> => {
    await subject.close()
    await lease.close()
  }
  return await measure({ subject, rotate: () => lease.rotate(), close }, scenario)
}

/** Every measurement has a pool of its own, warmed up by the same load, and begins on a heap without garbage. */
async function measure(side: Side, { workers, rotations, seconds }: Scenario): Promise<Measurement> {
  const load = { run: side.subject, workers, mix: shortQueriesOnly }
  try {
    await hammer({ ...load, until: warmUpMs })
    collectGarbage()
    const lastingMs = seconds * 1_000
    const [report, rotated] = await Promise.all([
      hammer({ ...load, until: lastingMs }),
      rotations ? rotateRegularly(side, lastingMs) : 0,
    ])
    collectGarbage()
    return figuresOf(report, rotated)
  } finally {
    await side.close()
  }
}

async function rotateRegularly({ rotate }: Side, forMs: number): Promise<number> {
  let rotations = 0
  const end = performance.now() + forMs
  for (let waitMs = firstRotationMs; performance.now() + waitMs < end; waitMs = rotateEveryMs) {
    await sleep(waitMs)
    await rotate()
    rotations++
  }
  return rotations
}

function figuresOf(
  { queries, failed, p50Ms, p99Ms, tookMs, firstErrors }: HammerReport,
  rotations: number,
): Measurement {
  for (const error of Object.values(firstErrors)) console.error(error)
  return {
    queries,
    failed,
    queriesPerSecond: queries / (tookMs / 1_000),
    p50Ms,
    p99Ms,
    heapBytes: process.memoryUsage().heapUsed,
    rotations,
  }
}

/** @throws Error when node was started without --expose-gc. */
export function collectGarbage(): void {
  if (!globalThis.gc)
    throw new Error('The heap can only be measured with node --expose-gc, as `npm run bench` does.')
  globalThis.gc()
}

function placeOn({ postgres }: BenchServers): Parameters<(typeof statics)['pg']>[0] {
  return { postgres, max: poolMax, acquireTimeoutMs: 10_000 }
}
