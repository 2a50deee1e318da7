/** A user name and its password. */
export interface Login {
  readonly username: string
  readonly password: string
}

/** Where a database is. */
export interface DatabaseAddress {
  readonly host: string
  /** Of the kind, where none was given. */
  readonly port: string
  /** Empty where none was given. */
  readonly database: string
}

/** What differs between the databases. */
export interface DatabaseKind {
  readonly protocols: readonly string[]
  readonly port: string
  /** What a URL has to say beside what was given, so that users of Vault can log in. */
  complete?(url: string): string
  /** What its own programs and drivers read in the environment. */
  variables(address: DatabaseAddress, login: Login, url: string): Readonly<Record<string, string>>
  /** Logs in and out again. Rejects with the driver's error. */
  logIn(url: string, signal: AbortSignal): Promise<void>
  /** Whether an error of `logIn()` says that the user may not come in. */
  isRefusal(error: unknown): boolean
}
