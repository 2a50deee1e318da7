import { type Finding, ok, warning } from './finding.ts'

const mostSkewMs = 5_000

/** How far a server's clock is from this machine's at that moment, in milliseconds since 1970, and what to do when that is much. */
export function clockFinding(serverMs: number, at: number, hint: string): Finding {
  const skewMs = serverMs - at
  const apart = `${(Math.abs(skewMs) / 1_000).toFixed(1)} s ${skewMs < 0 ? 'behind' : 'ahead of'} this machine`
  return Math.abs(skewMs) > mostSkewMs ? warning(apart, hint) : ok(apart)
}
