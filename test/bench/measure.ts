import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLease, token } from '@vault-lease/core'
import { hammer } from '@vault-lease/testing'
import { type SubjectName, subjects } from '../subjects/index.ts'
import type { Place, Subject } from '../subjects/subject.ts'
import { type BenchServers, role } from './bench-servers.ts'

/** One line of the result: an adapter under one load. */
export interface Scenario {
  readonly adapter: SubjectName
  readonly workers: number
  readonly rotations: boolean
  /** For each side, in each round. */
  readonly seconds: number
}

/** What one side did in one round. */
export interface Measurement {
  readonly queries: number
  readonly failed: number
  readonly queriesPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** What the process used, which other work on the machine changes less than the time it took. */
  readonly cpuMicrosecondsPerQuery: number
  /** The heap after a full collection, while no other pool is open. */
  readonly heapBytes: number
}

export type SideName = 'static' | 'leased'

/** A pool, and what it has done so far. */
interface Side {
  readonly subject: Subject
  readonly latencies: RecordableHistogram
  readonly heapBytes: number
  failed: number
  tookMs: number
  cpuMicroseconds: number
  rotate(): Promise<void>
  close(): Promise<void>
}

export const warmUpMs = 500
/** Short, so that what changes on the machine meanwhile meets both sides alike. */
const turnMs = 250
const rotateEveryMs = 5_000
const poolMax = 10
const shortQueriesOnly = { query: 1, transaction: 0, stream: 0 }
const microseconds = 1_000

/** One round: both sides warm, then in turns; who begins changes from turn to turn. */
export async function measureRound(
  servers: BenchServers,
  scenario: Scenario,
  order: readonly [SideName, SideName],
): Promise<Readonly<Record<SideName, Measurement>>> {
  const heaps = new Map<SideName, number>()
  for (const name of order) heaps.set(name, await heapOfOneSide(servers, scenario, name))
  const sides = {
    static: await openStatic(servers, scenario, heaps.get('static') ?? 0),
    leased: await openLeased(servers, scenario, heaps.get('leased') ?? 0),
  }
  try {
    for (const name of order) await warmUp(sides[name], scenario)
    collectGarbage()
    const lastingMs = scenario.rotations ? rotateEveryMs : turnMs
    const turns = Math.max(1, Math.round((scenario.seconds * 1_000) / lastingMs))
    for (let turn = 0; turn < turns; turn++) {
      const inTurn = turn % 2 === 0 ? order : order.toReversed()
      for (const name of inTurn) await takeTurn(sides[name], scenario, lastingMs)
    }
    return { static: measurementOf(sides.static), leased: measurementOf(sides.leased) }
  } finally {
    await sides.static.close()
    await sides.leased.close()
  }
}

async function heapOfOneSide(servers: BenchServers, scenario: Scenario, name: SideName): Promise<number> {
  const side = await (name === 'static' ? openStatic : openLeased)(servers, scenario, 0)
  try {
    await warmUp(side, scenario)
    collectGarbage()
    return process.memoryUsage().heapUsed
  } finally {
    await side.close()
  }
}

/** The plain driver with a user and a password. */
async function openStatic(servers: BenchServers, { adapter }: Scenario, heapBytes: number): Promise<Side> {
  const subject = subjects[adapter].plain(placeOn(servers), servers.staticLogin)
  return { ...newSide(subject, heapBytes), rotate: async () => {}, close: () => subject.close() }
}

/** The same over a lease. */
async function openLeased(servers: BenchServers, { adapter }: Scenario, heapBytes: number): Promise<Side> {
  const auth = token(await servers.engine.createToken())
  const lease = createLease({ vault: { address: servers.vault.address, auth }, role })
  await lease.ready()
  const subject = subjects[adapter].leased(placeOn(servers), { lease })
  const close = async (): Promise<void> => {
    await subject.close()
    await lease.close()
  }
  return { ...newSide(subject, heapBytes), rotate: () => lease.rotate(), close }
}

function newSide(subject: Subject, heapBytes: number): Omit<Side, 'rotate' | 'close'> {
  return { subject, heapBytes, latencies: createHistogram(), failed: 0, tookMs: 0, cpuMicroseconds: 0 }
}

async function warmUp({ subject }: Side, { workers }: Scenario): Promise<void> {
  await hammer({ run: subject, workers, mix: shortQueriesOnly, until: warmUpMs })
}

async function takeTurn(side: Side, { workers, rotations }: Scenario, lastingMs: number): Promise<void> {
  const load = { run: side.subject, workers, mix: shortQueriesOnly }
  const onResult = ({ latencyMs }: { latencyMs: number }): void =>
    side.latencies.record(Math.max(1, Math.round(latencyMs * microseconds)))
  const before = process.cpuUsage()
  const rotating = rotations ? sleep(lastingMs / 2).then(() => side.rotate()) : undefined
  const { failed, firstErrors, tookMs } = await hammer({ ...load, until: lastingMs, onResult })
  await rotating
  for (const error of Object.values(firstErrors)) console.error(error)
  side.failed += failed
  side.tookMs += tookMs
  const { user, system } = process.cpuUsage(before)
  side.cpuMicroseconds += user + system
}

function measurementOf({ latencies, failed, tookMs, cpuMicroseconds, heapBytes }: Side): Measurement {
  return {
    queries: latencies.count,
    failed,
    queriesPerSecond: latencies.count / (tookMs / 1_000),
    p50Ms: latencies.percentile(50) / microseconds,
    p99Ms: latencies.percentile(99) / microseconds,
    cpuMicrosecondsPerQuery: cpuMicroseconds / latencies.count,
    heapBytes,
  }
}

/** @throws Error when node was started without --expose-gc. */
export function collectGarbage(): void {
  if (!globalThis.gc)
    throw new Error('The heap can only be measured with node --expose-gc, as `npm run bench` does.')
  globalThis.gc()
}

function placeOn({ database }: BenchServers): Place {
  return { server: database, max: poolMax, acquireTimeoutMs: 10_000 }
}
