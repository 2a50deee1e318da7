import type { SubjectName } from '../subjects/index.ts'
import type { Measurement } from './load.ts'
import type { Pair } from './round.ts'
import { type Spread, spreadOf } from './spread.ts'

/** One line of the result: leased over static, in all rounds, under one load. */
export interface Comparison {
  readonly adapter: SubjectName
  readonly workers: number
  readonly rotations: boolean
  readonly throughput: Spread
  readonly p50: Spread
  readonly p99: Spread
  readonly cpu: Spread
  readonly heap: Spread
  readonly failed: number
  readonly rounds: readonly Pair[]
}

export function compare(
  load: Pick<Comparison, 'adapter' | 'workers' | 'rotations'>,
  rounds: readonly Pair[],
): Comparison {
  const ratio = (figure: (measurement: Measurement) => number): Spread =>
    spreadOf(rounds.map((pair) => figure(pair.leased) / figure(pair.static)))
  return {
    ...load,
    throughput: ratio(({ queriesPerSecond }) => queriesPerSecond),
    p50: ratio(({ p50Ms }) => p50Ms),
    p99: ratio(({ p99Ms }) => p99Ms),
    cpu: ratio(({ cpuMicrosecondsPerQuery }) => cpuMicrosecondsPerQuery),
    heap: ratio(({ heapBytes }) => heapBytes),
    failed: rounds.reduce((sum, pair) => sum + pair.static.failed + pair.leased.failed, 0),
    rounds,
  }
}

export const header: string = tableRow([
  'adapter',
  'workers',
  'throughput',
  'cpu a query',
  'p50',
  'p99',
  'heap',
])

/** Each ratio as `median (min-max)`. */
export function describe({ adapter, workers, throughput, p50, p99, cpu, heap }: Comparison): string {
  return tableRow([adapter, `${workers}`, ...[throughput, cpu, p50, p99, heap].map(describeRatio)])
}

function describeRatio({ median, min, max }: Spread): string {
  return `${median.toFixed(3)} (${min.toFixed(2)}-${max.toFixed(2)})`
}

function tableRow(cells: readonly string[]): string {
  const widths = [15, 7, 18, 18, 18, 18, 18]
  return cells
    .map((cell, column) => cell.padEnd(widths[column] ?? 0))
    .join('  ')
    .trimEnd()
}
