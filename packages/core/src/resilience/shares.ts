/** What somebody has a part in. */
export interface Share<T> {
  readonly value: T
  /** To be called once. Whether nobody else has a part in it: then it has to be closed. */
  release(): boolean
}

/** Things that several users in one process have together, and that end with the last of them. */
export class Shares<T> {
  readonly #entries = new Map<string, { readonly value: T; users: number }>()

  /** Takes part in what others with the same identity have, or makes it. Without an identity nobody else takes part. */
  take(identity: string | undefined, make: () => T): Share<T> {
    if (identity === undefined) return { value: make(), release: () => true }
    const entry = this.#entries.get(identity) ?? { value: make(), users: 0 }
    entry.users++
    this.#entries.set(identity, entry)
    return { value: entry.value, release: () => this.#isLast(identity, entry) }
  }

  #isLast(identity: string, entry: { users: number }): boolean {
    entry.users--
    if (entry.users > 0) return false
    this.#entries.delete(identity)
    return true
  }
}
