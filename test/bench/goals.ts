import type { Comparison } from './compare.ts'

/** What one line came to, measured by its goal. */
export interface Verdict {
  readonly adapter: string
  readonly workers: number
  readonly goal: string
  readonly median: number
  readonly met: boolean
}

type Figure = 'throughput' | 'cpu' | 'p99'
type Goal = readonly [figure: Figure, relation: '>=' | '<=', limit: number]

const steady: readonly Goal[] = [
  ['throughput', '>=', 0.99],
  ['cpu', '<=', 1.02],
]
const withRotations: readonly Goal[] = [
  ['throughput', '>=', 0.98],
  ['p99', '<=', 1.1],
]

export function verdictsOn(lines: readonly Comparison[]): Verdict[] {
  return lines.flatMap((line) =>
    (line.rotations ? withRotations : steady).map(([figure, relation, limit]) => {
      const { median } = line[figure]
      const met = relation === '>=' ? median >= limit : median <= limit
      const { adapter, workers } = line
      return { adapter, workers, goal: `${figure} ${relation} ${limit}`, median, met }
    }),
  )
}

/** One row for each adapter and goal, with a column for each number of workers. */
export function describeVerdicts(verdicts: readonly Verdict[]): string {
  const rows = new Map<string, Verdict[]>()
  for (const verdict of verdicts) {
    const row = `${verdict.adapter.padEnd(15)}  ${verdict.goal.padEnd(18)}`
    rows.set(row, [...(rows.get(row) ?? []), verdict])
  }
  const cell = ({ workers, median, met }: Verdict): string =>
    `${`${workers}`.padStart(2)} workers: ${median.toFixed(3)} ${met ? 'met' : 'missed'}`.padEnd(26)
  return [...rows].map(([row, cells]) => `${row}  ${cells.map(cell).join('')}`.trimEnd()).join('\n')
}
