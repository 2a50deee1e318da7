import { setTimeout as sleep } from 'node:timers/promises'
import { hammer } from '@vault-lease/testing'
import { type SubjectName, subjects } from '../subjects/index.ts'
import { type Outcome, outcomeOf, startApplication, startSoakServers } from './application.ts'
import { type Flatness, flatness } from './flat.ts'
import { type Sample, sampleOf } from './sample.ts'
import { collectWarnings } from './warnings.ts'

/** What many rotations in one process did to it. */
export interface RotationsReport extends Outcome {
  readonly adapter: SubjectName
  readonly rotations: number
  /** One sample after so many rotations. */
  readonly samples: readonly Sample[]
  readonly verdicts: Readonly<Record<keyof Sample, Flatness>>
  readonly warnings: readonly string[]
  readonly usersLeft: number
}

const workers = 4
const sampleCount = 50
const rotationsPerSample = 5
const settleMs = 20

/** Rotates under load, one rotation after another. */
export async function soakRotations(
  adapter: SubjectName,
  rotations: number,
  onSample: (done: number, sample: Sample) => void,
): Promise<RotationsReport> {
  await using servers = await startSoakServers(subjects[adapter].database)
  const warnings = collectWarnings()
  const { lease, subject, close } = await startApplication(servers, adapter)
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
  await close()
  const verdict = (what: keyof Sample, fraction: number, noise: number): Flatness =>
    flatness(
      samples.map((sample) => sample[what]),
      fraction,
      noise,
    )
  return {
    adapter,
    rotations,
    ...outcomeOf(report),
    samples,
    verdicts: {
      heapMb: verdict('heapMb', 0.05, 2),
      handles: verdict('handles', 0, 5),
      // Prisma has hundreds of its own at a time.
      timers: verdict('timers', 0.05, 5),
      listeners: verdict('listeners', 0, 0),
    },
    warnings: warnings(),
    usersLeft: (await servers.engine.users()).length,
  }
}

/** Whether it is as it should be. */
export function isSound({ failed, verdicts, warnings, usersLeft }: RotationsReport): boolean {
  const flat = Object.values(verdicts).every((verdict) => verdict.flat)
  return failed === 0 && flat && warnings.length === 0 && usersLeft === 0
}
