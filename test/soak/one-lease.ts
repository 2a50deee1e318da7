import { hammer } from '@vault-lease/testing'
import { heapMbInUse } from '../heap.ts'
import { type SubjectName, subjects } from '../subjects/index.ts'
import { type Outcome, outcomeOf, startApplication, startSoakServers } from './application.ts'
import { type Flatness, flatness } from './flat.ts'

/** What many queries as one database user did to the heap. */
export interface OneLeaseReport extends Outcome {
  readonly adapter: SubjectName
  readonly heapMb: Flatness
  /** What the heap has grown by between the first fifth after the warm-up and the last one. */
  readonly bytesPerQuery: number
  /** 1, unless the lease was rotated. */
  readonly generation: number
}

const workers = 4
const sampleCount = 25
/** Of all queries, how many lie between the middles of the two fifths that are compared. */
const betweenThem = 0.64

/** Queries without a rotation. */
export async function soakOneLease(
  adapter: SubjectName,
  queries: number,
  onSample: (done: number, heapMb: number) => void,
): Promise<OneLeaseReport> {
  await using servers = await startSoakServers(subjects[adapter].database)
  const { lease, subject, close } = await startApplication(servers, adapter)
  const samples: number[] = []
  let stop = (): void => {}
  const enough = new Promise<void>((resolve) => {
    stop = resolve
  })
  let done = 0
  const report = await hammer({
    run: { query: subject.query },
    workers,
    until: enough,
    onResult() {
      if (++done % Math.ceil(queries / sampleCount) !== 0) return
      const heapMb = heapMbInUse()
      samples.push(heapMb)
      onSample(done, heapMb)
      if (samples.length === sampleCount) stop()
    },
  })
  const { generation } = lease.status()
  await close()
  const heapMb = flatness(samples, 0.05, 2)
  const grown = (heapMb.last - heapMb.first) * 1_048_576
  return {
    adapter,
    ...outcomeOf(report),
    heapMb,
    bytesPerQuery: Math.round(grown / (report.queries * betweenThem)),
    generation,
  }
}
