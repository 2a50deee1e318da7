import { clockFinding } from '../clock.ts'
import type { Finding } from '../finding.ts'

export function databaseClock(serverMs: number, at: number): Finding {
  return clockFinding(
    serverMs,
    at,
    'Have it take its time from NTP: users are valid until a moment that Vault writes by its own clock.',
  )
}
