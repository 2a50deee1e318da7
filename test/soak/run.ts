import { setTimeout as sleep } from 'node:timers/promises'
import { appRole, createLease, createVault } from '@vault-lease/core'
import { hammer, startServers } from '@vault-lease/testing'
import { type SubjectName, subjects } from '../subjects/index.ts'
import { schemas } from '../subjects/subject.ts'
import { type Flatness, flatness } from './flat.ts'
import { countTimers, isOfCounting } from './timers.ts'

/** What many rotations in one process did to it. */
export interface SoakReport {
  readonly adapter: SubjectName
  readonly rotations: number
  readonly queries: number
  readonly failed: number
  readonly failures: Readonly<Record<string, number>>
  /** The first error of each kind, as text. */
  readonly firstErrors: Readonly<Record<string, string>>
  /** One sample after so many rotations; the heap is measured after a collection. */
  readonly samples: readonly Sample[]
  readonly verdicts: Readonly<Record<keyof Sample, Flatness>>
  /** Warnings of the process, such as that there are too many listeners. */
  readonly warnings: readonly string[]
  readonly usersLeft: number
}

export interface Sample {
  readonly heapMb: number
  /** What keeps the process alive beside timers: sockets, for the most part. */
  readonly handles: number
  /** All of them, whether they keep the process alive or not. */
  readonly timers: number
  /** Of the lease and of the process. */
  readonly listeners: number
}

const role = 'soak'
const workers = 4
const sampleCount = 50
// A sample collects the heap, which takes a good part of a second where much is loaded.
const rotationsPerSample = 5
const settleMs = 20

export async function soak(
  adapter: SubjectName,
  rotations: number,
  onSample: (done: number, sample: Sample) => void,
): Promise<SoakReport> {
  const kind = subjects[adapter].database
  await using servers = await startServers({ kind, schema: schemas[kind] })
  const { database: server, engine, vault: vaultServer } = servers
  await engine.role(role, { ttl: '10m', maxTtl: '1h' })
  const warnings: string[] = []
  const onWarning = (warning: Error): void => {
    if (!isOfCounting(warning)) warnings.push(String(warning))
  }
  process.on('warning', onWarning)
  const vault = createVault({ address: vaultServer.address, auth: appRole(await engine.createAppRole()) })
  const lease = createLease({ vault, role })
  const subject = subjects[adapter].leased(
    { server, max: 5, acquireTimeoutMs: 10_000, users: server },
    { lease },
  )
  await lease.ready()
  const samples: Sample[] = []
  const sampleEvery = Math.max(rotationsPerSample, Math.floor(rotations / sampleCount))
  const rotating = (async () => {
    for (let done = 1; done <= rotations; done++) {
      await lease.rotate()
      if (done % sampleEvery !== 0) continue
      await sleep(settleMs)
      const sample = sampleOf(lease)
      samples.push(sample)
      onSample(done, sample)
    }
  })()
  const report = await hammer({ run: subject, workers, until: rotating })
  await rotating
  await subject.close()
  await lease.close()
  await vault.close()
  process.off('warning', onWarning)
  return {
    adapter,
    rotations,
    queries: report.queries,
    failed: report.failed,
    failures: report.failures,
    firstErrors: Object.fromEntries(
      Object.entries(report.firstErrors).map(([kind, error]) => [kind, String(error)]),
    ),
    samples,
    verdicts: {
      heapMb: flatness(
        samples.map(({ heapMb }) => heapMb),
        0.05,
        2,
      ),
      handles: flatness(
        samples.map(({ handles }) => handles),
        0,
        5,
      ),
      timers: flatness(
        samples.map(({ timers }) => timers),
        // Prisma has hundreds of its own at a time.
        0.05,
        5,
      ),
      listeners: flatness(
        samples.map(({ listeners }) => listeners),
        0,
        0,
      ),
    },
    warnings,
    usersLeft: (await engine.users()).length,
  }
}

/** Whether it is as it should be. */
export function isSound({ failed, verdicts, warnings, usersLeft }: SoakReport): boolean {
  const flat = Object.values(verdicts).every((verdict) => verdict.flat)
  return failed === 0 && flat && warnings.length === 0 && usersLeft === 0
}

function sampleOf(lease: NodeJS.EventEmitter): Sample {
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
