import { InvalidArgumentError } from 'commander'

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

/** Milliseconds of `30`, `30s`, `500ms`, `2m`, `1h`; a number alone is in seconds, as Vault has it. */
export function secondsOf(text: string): number {
  const [, count, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? []
  if (count === undefined) throw new InvalidArgumentError('It takes a time such as 30, 30s, 500ms, 2m or 1h.')
  return Number(count) * unitMs[unit as keyof typeof unitMs]
}

/** Such as `850 ms`, `12 s`, `5 min`, `3 h`, `2 d`. */
export function textOfDuration(ms: number): string {
  for (const [unit, length] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1_000],
  ] as const) {
    if (ms >= 2 * length || (unit === 's' && ms >= length)) return `${Math.floor(ms / length)} ${unit}`
  }
  return `${Math.round(ms)} ms`
}
