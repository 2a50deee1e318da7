import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseServer, SuperuserSession } from './database-server.ts'
import { dialectOf } from './dialect/dialects.ts'

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

/** What a watch looks at. */
export interface SessionWatchOptions {
  /** Whose sessions are counted, as a pattern of SQL's LIKE. Default: every dynamic user. */
  readonly users?: string
  /** Milliseconds between two looks. Default: 10. */
  readonly everyMs?: number
}

/** Looks every few milliseconds at what the server itself says of its sessions, as the superuser. */
export async function watchSessions(
  server: DatabaseServer,
  { users, everyMs = 10 }: SessionWatchOptions = {},
): Promise<SessionWatch> {
  const dialect = dialectOf(server)
  const timeline: SessionSample[] = []
  let mostAtOnce = 0
  const stopping = new AbortController()
  const look = async (session: SuperuserSession): Promise<void> => {
    const rows = await dialect.sessions(session, users ?? dialect.dynamicUsers)
    const sessions = Object.fromEntries(rows.map(({ name, sessions }) => [name, sessions]))
    if (JSON.stringify(sessions) !== JSON.stringify(timeline.at(-1)?.sessions)) {
      timeline.push({ at: Date.now(), sessions })
    }
    mostAtOnce = Math.max(
      mostAtOnce,
      rows.reduce((sum, row) => sum + row.sessions, 0),
    )
  }
  const connected = await server.connect()
  const watching = (async () => {
    for (
      let session: SuperuserSession | undefined = connected;
      session;
      session = await reconnect(server, stopping.signal)
    ) {
      try {
        while (!stopping.signal.aborted) {
          await look(session)
          await sleep(everyMs)
        }
      } catch {
        // The server is down or was restarted: look again when it is back.
      } finally {
        await session.end()
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

async function reconnect(server: DatabaseServer, signal: AbortSignal): Promise<SuperuserSession | undefined> {
  while (!signal.aborted) {
    try {
      return await server.connect()
    } catch {
      await sleep(20)
    }
  }
  return undefined
}
