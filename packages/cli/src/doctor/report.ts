import { styleText } from 'node:util'
import type { Result } from './examination.ts'
import type { Finding } from './finding.ts'

const marks: Readonly<
  Record<Finding['status'], readonly [mark: string, color: 'green' | 'yellow' | 'red' | 'gray']>
> = {
  ok: ['✓', 'green'],
  warning: ['!', 'yellow'],
  failed: ['✗', 'red'],
  skipped: ['-', 'gray'],
}

/** The lines of a result, under a heading where its group begins. */
export function linesOf(result: Result, before: Result | undefined, colours: boolean): string {
  const { group, check, status, found, hint, link } = result
  const paint = (color: Parameters<typeof styleText>[0], text: string): string =>
    colours ? styleText(color, text, { validateStream: false }) : text
  const heading = before?.group === group ? [] : [`${before ? '\n' : ''}${paint('bold', group)}`]
  const [mark, color] = marks[status]
  const advice = [...(hint === undefined ? [] : [hint]), ...(link === undefined ? [] : [`See ${link}`])]
  return [
    ...heading,
    `  ${paint(color, mark)} ${check.padEnd(14)} ${found}`,
    ...advice.map((text) => `${' '.repeat(19)}${text}`),
  ].join('\n')
}

/** How many there are of each. */
export function summaryOf(results: readonly Result[]): string {
  const count = (status: Finding['status']): number => results.filter((each) => each.status === status).length
  const parts = [
    `${count('ok')} good`,
    ...(count('warning') > 0 ? [`${count('warning')} that will not always be`] : []),
    ...(count('failed') > 0 ? [`${count('failed')} failed`] : []),
    ...(count('skipped') > 0 ? [`${count('skipped')} not looked at`] : []),
  ]
  return parts.join(', ')
}
