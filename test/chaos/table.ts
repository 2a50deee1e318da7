import type { Row } from './run.ts'

const headings = ['fault', 'adapter', 'queries', 'failed', 'while alive', 'ms to normal', 'users left']

/** The rows in columns, texts to the left and numbers to the right. */
export function tableOf(rows: readonly Row[]): string {
  const cells = rows.map(({ fault, adapter, ...numbers }) => [
    fault,
    adapter,
    ...Object.values(numbers).map(String),
  ])
  const all = [headings, ...cells]
  const widths = headings.map((_, column) => Math.max(...all.map((line) => line[column]?.length ?? 0)))
  const lines = all.map((line) =>
    line.map((cell, column) =>
      column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    ),
  )
  return lines.map((line) => line.join('  ').trimEnd()).join('\n')
}
