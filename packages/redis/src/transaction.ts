type Boundary = 'multi' | 'exec' | 'discard'

/** By how many letters they have: nearly every other command is told from them by that alone. */
const boundaries: Readonly<Record<number, Boundary>> = { 4: 'exec', 5: 'multi', 7: 'discard' }

/** Whether a connection is between MULTI and EXEC, told by the commands that are sent on it. */
export class Transaction {
  #ended: Promise<void> | undefined
  #end = (): void => {}
  /** Why the rest of it fails: the connection that had begun it is gone. */
  #lost: (() => Error) | undefined

  /** Resolves when it has ended; `undefined` when there is none. */
  get ended(): Promise<void> | undefined {
    return this.#ended
  }

  /** A command is sent, in whatever case. Returns why it must not be, because it belongs to a transaction that was lost. */
  follow(name: string): Error | undefined {
    const error = this.#lost?.()
    const boundary = boundaries[name.length]
    if (boundary === undefined || name.toLowerCase() !== boundary) return error
    if (boundary !== 'multi') this.over()
    else if (!error) this.#begin()
    return error
  }

  /** Its connection is closed under its holder. */
  lose(reason: () => Error): void {
    this.over()
    this.#lost = reason
  }

  over(): void {
    this.#lost = undefined
    this.#ended = undefined
    this.#end()
  }

  #begin(): void {
    this.#ended ??= new Promise((resolve) => {
      this.#end = resolve
    })
  }
}
