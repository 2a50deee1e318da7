import type { ChangeStreamPosition } from './change-stream.ts'
import { isCommit, type Operation, type SelectOptions, type Server, type Session } from './driver.ts'

/** Where a session is at home: the client that does its operations. */
export interface Home {
  /** Why what is bound to it cannot go on, once it was ended. */
  readonly ended: (() => Error) | undefined
  /** Selects a server for an operation, as the driver does. */
  select(selector: unknown, options: SelectOptions, use: SessionUse | undefined): Promise<Server>
  /** The session has nothing here any more. */
  forget(use: SessionUse): void
}

/** By a WeakMap in its place every operation would pay for the collection of its key. */
const ofSession = Symbol('SessionUse')

type Used = Session & { [ofSession]?: SessionUse }

export function useOf(session: Used): SessionUse {
  session[ofSession] ??= new SessionUse(session)
  return session[ofSession]
}

/** None of a session that an operation has made for itself, which most never need: nothing is bound before an answer. */
export function knownUseOf(session: Used): SessionUse | undefined {
  return session.explicit ? useOf(session) : session[ofSession]
}

/**
 * What binds a session to the client on which it began: operations under way, open cursors, a transaction.
 * Every operation of the driver has a session, if only one of its own.
 */
export class SessionUse {
  readonly #session: Session
  #home: Home | undefined
  #changeStreams: Map<string, ChangeStreamPosition> | undefined
  // Made when there is something to keep: most operations open nothing.
  #cursors: Set<string> | undefined
  #lost: Map<string | object, () => Error> | undefined
  #underWay = 0
  #watching = 0
  #transaction: object | undefined

  constructor(session: Session) {
    this.#session = session
    if (session.explicit) session.once('ended', () => this.#home?.forget(this))
  }

  /** Where the last operation was done. */
  get home(): Home | undefined {
    return this.#home
  }

  /** The change streams of the session, if it has any, by the ids of their cursors: they can go on with another cursor. */
  get changeStreams(): ReadonlyMap<string, ChangeStreamPosition> | undefined {
    return this.#changeStreams
  }

  /** Whether the caller made it, as opposed to an operation. */
  get explicit(): boolean {
    return this.#session.explicit
  }

  /** Whether the next operation has to go where the last one went, because of work that comes to an end. */
  get busy(): boolean {
    return this.#underWay > 0 || this.#holds
  }

  /** Whether it is busy, or a change stream is being read. */
  get bound(): boolean {
    return this.busy || this.#watching > 0
  }

  /** Whether the only operation under way can as well be done on another client. */
  get movable(): boolean {
    return this.#underWay + this.#watching === 1 && !this.#holds
  }

  /** Whether it has a change stream. */
  get watches(): boolean {
    return this.#changeStreams !== undefined && this.#changeStreams.size > 0
  }

  /** Whether its client has to know it when nothing is under way: a commit may be tried again. */
  get remembered(): boolean {
    const committing = this.#transaction === this.#session.transaction && !this.#session.hasEnded
    return this.bound || committing || this.watches
  }

  /** From here on its operations are done there. */
  moveTo(home: Home): void {
    if (this.#home !== home) this.#home?.forget(this)
    this.#home = home
  }

  begin(watching = false): void {
    if (watching) this.#watching++
    else this.#underWay++
  }

  end(watching = false): void {
    if (watching) this.#watching--
    else this.#underWay--
  }

  /** An operation was answered: if it was in a transaction, the server has that open now. */
  answered(): void {
    if (this.#session.inTransaction()) this.#transaction = this.#session.transaction
  }

  cursorOpened(id: string): void {
    this.#cursors ??= new Set()
    this.#cursors.add(id)
  }

  cursorClosed(id: string): void {
    this.#cursors?.delete(id)
    this.#changeStreams?.delete(id)
  }

  watching(id: string, position: ChangeStreamPosition): void {
    this.#changeStreams ??= new Map()
    this.#changeStreams.set(id, position)
  }

  /** The client has ended: what was bound to it fails from now on, and what is new goes elsewhere. */
  lose(reason: () => Error): void {
    this.#lost ??= new Map()
    for (const id of this.#cursors ?? []) this.#lost.set(id, reason)
    this.#cursors = undefined
    if (this.#transaction) this.#lost.set(this.#transaction, reason)
    this.#transaction = undefined
  }

  /** Why an operation cannot be done any more, if its cursor or transaction was lost. */
  lossFor(operation: Operation): Error | undefined {
    if (!this.#lost) return undefined
    if (operation.cursorId) return this.#lost.get(`${operation.cursorId}`)?.()
    if (!this.#session.inTransaction() && !isCommit(operation)) return undefined
    return this.#lost.get(this.#session.transaction)?.()
  }

  get #holds(): boolean {
    const holdsCursor = this.#cursors !== undefined && this.#cursors.size > 0 && !this.#session.hasEnded
    return holdsCursor || (this.#transaction === this.#session.transaction && this.#session.inTransaction())
  }
}
