import type { ChangeStreamPosition } from './change-stream.ts'
import { isCommit, type Operation, type Session } from './driver.ts'
import type { Generation } from './generation.ts'

/**
 * What binds a session to the generation on whose client it began: operations under way, open cursors, a transaction.
 * Every operation of the driver has a session, if only one of its own.
 */
export class SessionUse {
  /** Whose server the last operation went to. */
  generation: Generation | undefined
  /** Given when the cursor of the session is that of a change stream. */
  changeStream: ChangeStreamPosition | undefined
  readonly #session: Session
  readonly #cursors = new Set<string>()
  readonly #lost = new Map<string | object, () => Error>()
  #underWay = 0
  #transaction: object | undefined

  constructor(session: Session) {
    this.#session = session
    if (session.explicit) session.once('ended', () => this.generation?.forget(this))
  }

  /** Whether the caller made it, as opposed to an operation. */
  get explicit(): boolean {
    return this.#session.explicit
  }

  /** Whether an operation is under way, or the next one has to go where the last one went. */
  get bound(): boolean {
    return this.#underWay > 0 || this.#holds
  }

  /** Whether the only operation under way can as well be done on the client of another generation. */
  get movable(): boolean {
    return this.#underWay === 1 && !this.#holds
  }

  /** Whether its generation has to know it: a commit may be tried again. */
  get remembered(): boolean {
    return this.bound || (this.#transaction === this.#session.transaction && !this.#session.hasEnded)
  }

  begin(generation: Generation): void {
    if (this.generation !== generation) this.generation?.forget(this)
    this.generation = generation
    this.#underWay++
  }

  end(): void {
    this.#underWay--
  }

  /** An operation was answered: if it was in a transaction, the server has that open now. */
  answered(): void {
    if (this.#session.inTransaction()) this.#transaction = this.#session.transaction
  }

  cursorOpened(id: string): void {
    this.#cursors.add(id)
  }

  cursorClosed(id: string): void {
    this.#cursors.delete(id)
  }

  /** The generation has ended: what was bound to it fails from now on, and what is new goes elsewhere. */
  lose(reason: () => Error): void {
    for (const id of this.#cursors) this.#lost.set(id, reason)
    this.#cursors.clear()
    if (this.#transaction) this.#lost.set(this.#transaction, reason)
    this.#transaction = undefined
  }

  /** Why an operation cannot be done any more, if its cursor or transaction was lost. */
  lossFor(operation: Operation): Error | undefined {
    if (operation.cursorId) return this.changeStream ? undefined : this.#lost.get(`${operation.cursorId}`)?.()
    if (!this.#session.inTransaction() && !isCommit(operation)) return undefined
    return this.#lost.get(this.#session.transaction)?.()
  }

  get #holds(): boolean {
    return this.#holdsCursor || this.#holdsTransaction
  }

  /** A change stream can go on with another cursor. */
  get #holdsCursor(): boolean {
    return this.#cursors.size > 0 && !this.#session.hasEnded && !this.changeStream
  }

  get #holdsTransaction(): boolean {
    return this.#transaction === this.#session.transaction && this.#session.inTransaction()
  }
}
