/** A user as the database has it. Dates in milliseconds since 1970. */
export interface DatabaseUser {
  readonly username: string
  /** When it was made, where the database knows. */
  readonly madeAt: number | undefined
  /** Until when it is let in, where the database knows an end. */
  readonly validUntil: number | undefined
}

/** What a user does and has. */
export interface Belongings {
  readonly sessions: number
  /** What it owns, in the words of the database; things that go to nobody when the user is dropped. */
  readonly owns: readonly string[]
}

/** A session that is open. */
export interface UserSession {
  readonly username: string
  /** Where it comes from: an address, perhaps with a port; `undefined` when the database does not tell. */
  readonly from: string | undefined
  /** In milliseconds since 1970, where the database knows. */
  readonly since: number | undefined
}

/** What becomes of what a user owns: `undefined` when it may own nothing. */
export type Ownership = { readonly reassignTo: string } | 'drop' | undefined

/** The users of a database server, as its superuser sees them. What fails rejects with the driver's error. */
export interface Users extends AsyncDisposable {
  readonly list: () => Promise<readonly DatabaseUser[]>
  /** Those of users that are dropped too, where the database still knows whose they are. */
  readonly sessions: () => Promise<readonly UserSession[]>
  /** What the clock of the database says. */
  readonly now: () => Promise<number>
  /** `undefined` when there is no such user any more. */
  readonly belongingsOf: (username: string) => Promise<Belongings | undefined>
  /** Ends its sessions, drops or reassigns what it owns, and drops it. */
  readonly drop: (username: string, ownership: Ownership) => Promise<void>
}

/** Logs in with the URL of a superuser. */
export type OpenUsers = (url: string) => Promise<Users>
