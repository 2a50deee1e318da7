/** A database that was told to drop a user, and how many sessions of the user were open at that moment. */
export interface Drop {
  readonly username: string
  readonly openSessions: number
  /** When, in milliseconds of Date.now(). */
  readonly at: number
}

/** Has the sessions of each user counted that are open when the user is dropped. */
export interface DropCounter {
  /** Where Vault has to connect for this, in the words of its plugin. */
  readonly config: Readonly<Record<string, unknown>>
  drops(): Promise<Drop[]>
  close(): Promise<void>
}
