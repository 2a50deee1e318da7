import type { Health, LeaseStatus } from '@vault-lease/core'
import { textOfDuration } from '../durations.ts'
import { inOneLine } from '../terminal.ts'

/** For people: how a process stands, each lease with its pools, and why. */
export function textOfHealth(url: string, { live, ready, reasons, leases }: Health): string {
  const lines = [
    `${url}: ${ready ? 'ready' : 'not ready'}, ${live ? 'live' : 'to be restarted'}`,
    ...leases.flatMap(linesOfLease),
    ...reasons.map(({ source, level, message }) => `${level}: ${source}: ${message}`),
  ]
  return lines.map(inOneLine).join('\n')
}

function linesOfLease({
  source,
  state,
  username,
  expiresInMs,
  next,
  retiring,
  places,
}: LeaseStatus): string[] {
  const facts = [
    state,
    username,
    typeof expiresInMs === 'number' && `dies in ${textOfDuration(expiresInMs)}`,
    next && `${next.do} in ${textOfDuration(next.inMs)}`,
    retiring?.length > 0 && `${retiring.length} old on their way out`,
  ]
  return [
    `${source}: ${facts.filter(Boolean).join(', ')}`,
    ...places.map(({ place, state }) => `  ${place}: ${state}`),
  ]
}
