/** A database user that has come, or has gone after some time. */
export type Coming =
  | { readonly event: 'came'; readonly username: string; readonly at: number }
  | { readonly event: 'went'; readonly username: string; readonly at: number; readonly livedMs: number }

/** Who was there when it was looked last. Times in milliseconds of Date.now(). */
export class Comings {
  readonly #since = new Map<string, number>()

  /** What has changed. */
  see(usernames: readonly string[], at: number): readonly Coming[] {
    const gone = [...this.#since].filter(([username]) => !usernames.includes(username))
    const come = usernames.filter((username) => !this.#since.has(username))
    for (const [username] of gone) this.#since.delete(username)
    for (const username of come) this.#since.set(username, at)
    return [
      ...come.map((username) => ({ event: 'came' as const, username, at })),
      ...gone.map(([username, since]) => ({ event: 'went' as const, username, at, livedMs: at - since })),
    ]
  }
}
