const units = { d: 86_400, h: 3_600, m: 60, s: 1 } as const
const form = /^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?$/

/** Whole seconds of `90`, `30s`, `1h30m`, `7d`, and of what Go writes, `1h0m0s`; `undefined` when it is none of them. */
export function secondsOf(text: string): number | undefined {
  const [found, ...parts] = form.exec(text) ?? []
  if (found === undefined || found === '') return undefined
  const [days = '0', hours = '0', minutes = '0', seconds = '0'] = parts
  return (
    Number(days) * units.d + Number(hours) * units.h + Number(minutes) * units.m + Number(seconds) * units.s
  )
}

/** As people write it: `90m`, `24h`. */
export function durationText(seconds: number): string {
  const unit = (['h', 'm', 's'] as const).find((unit) => seconds % units[unit] === 0) ?? 's'
  return seconds === 0 ? '0s' : `${seconds / units[unit]}${unit}`
}
