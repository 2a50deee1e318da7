import { type Finding, ok, warning } from '../finding.ts'

const mostSkewMs = 5_000

export function databaseClock(serverMs: number, at: number): Finding {
  const skewMs = serverMs - at
  const apart = `${(Math.abs(skewMs) / 1_000).toFixed(1)} s ${skewMs < 0 ? 'behind' : 'ahead of'} this machine`
  return Math.abs(skewMs) > mostSkewMs
    ? warning(
        apart,
        'Have it take its time from NTP: users are valid until a moment that Vault writes by its own clock.',
      )
    : ok(apart)
}
