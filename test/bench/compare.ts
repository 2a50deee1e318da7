import type { Measurement, Scenario, SideName } from './measure.ts'
import { type Spread, spreadOf } from './spread.ts'

/** Both sides in one round. */
export type Pair = Readonly<Record<SideName, Measurement>>

/** Leased over static, in all rounds. */
interface Ratio extends Spread {
  readonly goal?: string
  readonly met?: boolean
}

/** One line of the result. */
export interface Comparison extends Scenario {
  readonly throughput: Ratio
  readonly p50: Ratio
  readonly p99: Ratio
  readonly cpu: Ratio
  readonly heap: Ratio
  readonly failed: number
  readonly rounds: readonly Pair[]
}

const throughputGoal = 0.99
const p99GoalSteady = 1.05
const p99GoalRotating = 1.2

export function compare(scenario: Scenario, rounds: readonly Pair[]): Comparison {
  const ratio = (figure: (measurement: Measurement) => number): Ratio =>
    spreadOf(rounds.map((pair) => figure(pair.leased) / figure(pair.static)))
  const throughput = ratio(({ queriesPerSecond }) => queriesPerSecond)
  const p99 = ratio(({ p99Ms }) => p99Ms)
  const p99Goal = scenario.rotations ? p99GoalRotating : p99GoalSteady
  return {
    ...scenario,
    throughput: { ...throughput, goal: `>= ${throughputGoal}`, met: throughput.median >= throughputGoal },
    p50: ratio(({ p50Ms }) => p50Ms),
    p99: { ...p99, goal: `<= ${p99Goal}`, met: p99.median <= p99Goal },
    cpu: ratio(({ cpuMicrosecondsPerQuery }) => cpuMicrosecondsPerQuery),
    heap: ratio(({ heapBytes }) => heapBytes),
    failed: rounds.reduce((sum, pair) => sum + pair.static.failed + pair.leased.failed, 0),
    rounds,
  }
}

export const header: string = tableRow([
  'adapter',
  'workers',
  'rotations',
  'throughput',
  'p50',
  'p99',
  'cpu a query',
  'heap',
])

/** Each ratio as `median (min-max)`, and its goal where it has one. */
export function describe(line: Comparison): string {
  const { adapter, workers, rotations, throughput, p50, p99, cpu, heap } = line
  const ratios = [throughput, p50, p99, cpu, heap].map(describeRatio)
  return tableRow([adapter, String(workers), rotations ? 'every 5 s' : 'none', ...ratios])
}

function describeRatio({ median, min, max, goal, met }: Ratio): string {
  const figures = `${median.toFixed(3)} (${min.toFixed(2)}-${max.toFixed(2)})`
  return goal === undefined ? figures : `${figures} ${goal} ${met ? 'met' : 'missed'}`
}

function tableRow(cells: readonly string[]): string {
  const widths = [7, 7, 9, 32, 18, 31, 18, 18]
  return cells
    .map((cell, column) => cell.padEnd(widths[column] ?? 0))
    .join('  ')
    .trimEnd()
}
