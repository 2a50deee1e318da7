import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Postgres } from './postgres.ts'

/** How many sessions each dynamic user had, from `at` (milliseconds of Date.now()) on. */
export interface SessionSample {
  readonly at: number
  readonly sessions: Readonly<Record<string, number>>
}

/** What a watch has seen. */
export interface SessionReport {
  /** One sample for each change. */
  readonly timeline: readonly SessionSample[]
  /** The most sessions of dynamic users that were open at once. */
  readonly mostAtOnce: number
}

/** A watch that goes on until it is stopped. */
export interface SessionWatch {
  /** Ends the watch. Stopping twice is stopping once. */
  stop(): Promise<SessionReport>
}

const countSessions = `select usename as name, count(*)::int as sessions from pg_stat_activity
  where backend_type = 'client backend' and usename like $1 group by 1`

/** What a watch looks at. */
export interface SessionWatchOptions {
  /** Whose sessions are counted, as a pattern of SQL's LIKE. Default: `v-%`, every dynamic user. */
  readonly users?: string
  /** Milliseconds between two looks. Default: 10. */
  readonly everyMs?: number
}

/** Looks every few milliseconds at what the server itself says of its sessions, as the superuser. */
export async function watchSessions(
  postgres: Postgres,
  { users = 'v-%', everyMs = 10 }: SessionWatchOptions = {},
): Promise<SessionWatch> {
  const timeline: SessionSample[] = []
  let mostAtOnce = 0
  const stopping = new AbortController()
  const look = async (client: pg.Client): Promise<void> => {
    const { rows } = await client.query<{ name: string; sessions: number }>(countSessions, [users])
    const sessions = Object.fromEntries(rows.map(({ name, sessions }) => [name, sessions]))
    if (JSON.stringify(sessions) !== JSON.stringify(timeline.at(-1)?.sessions)) {
      timeline.push({ at: Date.now(), sessions })
    }
    mostAtOnce = Math.max(
      mostAtOnce,
      rows.reduce((sum, row) => sum + row.sessions, 0),
    )
  }
  const connected = await connect(postgres)
  const watching = (async () => {
    for (
      let client = connected;
      !stopping.signal.aborted;
      client = await reconnect(postgres, stopping.signal)
    ) {
      try {
        while (!stopping.signal.aborted) {
          await look(client)
          await sleep(everyMs)
        }
      } catch {
        // The server is down or was restarted: look again when it is back.
      } finally {
        await client.end().catch(() => {})
      }
    }
  })()
  return {
    async stop() {
      stopping.abort()
      await watching
      return { timeline, mostAtOnce }
    },
  }
}

async function reconnect(postgres: Postgres, signal: AbortSignal): Promise<pg.Client> {
  while (!signal.aborted) {
    try {
      return await connect(postgres)
    } catch {
      await sleep(20)
    }
  }
  return new pg.Client()
}

async function connect({ host, port, database, superuser }: Postgres): Promise<pg.Client> {
  const client = new pg.Client({ host, port, database, ...superuser })
  client.on('error', () => {})
  await client.connect()
  return client
}
