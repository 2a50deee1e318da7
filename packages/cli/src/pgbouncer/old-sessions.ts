import type { Credential } from '@vault-lease/core'
import { type Clock, pause, type Retired } from '@vault-lease/core/adapter'
import type { Client } from 'pg'
import type { Database } from '../database/database.ts'
import { detach } from './detached.ts'

const others = 'from pg_stat_activity where usename = current_user and pid <> pg_backend_pid()'
const pauseMs = 50
const endWithinMs = 1_000

/**
 * Waits, as the user itself, until nobody else is logged in as it. What still is when the signal is aborted is ended: its own
 * sessions every user may end.
 */
export async function untilNoSessions(
  database: Database,
  credential: Credential,
  clock: Clock,
  signal: AbortSignal,
): Promise<Retired> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({
    connectionString: database.urlFor(credential),
    connectionTimeoutMillis: 5_000,
  })
  client.on('error', () => {})
  try {
    await client.connect()
    detach(client)
    const closed = await sessions(client)
    if (await isQuiet(client, clock, signal)) return { closed, forced: 0 }
    const { rows } = await client.query(`select pg_terminate_backend(pid) ${others}`)
    await isQuiet(client, clock, AbortSignal.timeout(endWithinMs))
    return { closed: closed - rows.length, forced: rows.length }
  } catch (failure) {
    // Who may not log in any more has no sessions that could be used.
    return { closed: 0, forced: 0, ...(!database.kind.isRefusal(failure) && { failure }) }
  } finally {
    await client.end().catch(() => {})
  }
}

/** Whether it was before the signal. */
async function isQuiet(client: Client, clock: Clock, signal: AbortSignal): Promise<boolean> {
  while ((await sessions(client)) > 0) {
    if (signal.aborted) return false
    await pause(clock, pauseMs, signal)
  }
  return true
}

async function sessions(client: Client): Promise<number> {
  const { rows } = await client.query<{ n: number }>(`select count(*)::int as n ${others}`)
  return rows[0]?.n ?? 0
}
