import type { Finding } from '../finding.ts'

/** What the application will ask of the database. */
export interface Load {
  readonly instances: number
  readonly poolMax: number
}

/** A check, and what it found. */
export type Named = readonly [check: string, finding: Finding]

/** A session of the user that was created. */
export interface DatabaseSession {
  /** Who the database says it is. */
  user(): Promise<string>
  /** Its clock, its room for connections, and what users that are over have left in it. */
  look(load: Load): Promise<readonly Named[]>
  /** Waits a moment for its end, and does not keep the process alive after that. */
  close(): Promise<void>
}

/** Logs in. Rejects with the driver's error. */
export type OpenSession = (url: string) => Promise<DatabaseSession>

/** For a login, and for an answer. */
export const answersWithinMs = 5_000
export const endsWithinMs = 1_000
