import { InvalidArgumentError } from 'commander'

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

/** Milliseconds of `30`, `30s`, `500ms`, `2m`, `1h`; a number alone is in seconds, as Vault has it. */
export function secondsOf(text: string): number {
  const [, count, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? []
  if (count === undefined) throw new InvalidArgumentError('It takes a time such as 30, 30s, 500ms, 2m or 1h.')
  return Number(count) * unitMs[unit as keyof typeof unitMs]
}
