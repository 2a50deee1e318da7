import type { Attachment } from './attachment.ts'

/** The consumers on a lease, each with how many attempts had begun when it joined: none of those was made for it. */
export class Attachments implements Iterable<Attachment> {
  readonly #joinedAfter = new Map<Attachment, number>()

  add(attachment: Attachment, attemptsBegun: number): void {
    this.#joinedAfter.set(attachment, attemptsBegun)
  }

  delete(attachment: Attachment): void {
    this.#joinedAfter.delete(attachment)
  }

  [Symbol.iterator](): Iterator<Attachment> {
    return this.#joinedAfter.keys()
  }

  /** Whether one of the attempts that have ended began after it had joined. */
  hasSeenOneOf(attemptsEnded: number, attachment: Attachment): boolean {
    return attemptsEnded > (this.#joinedAfter.get(attachment) ?? 0)
  }

  /** Whether somebody has joined since the last of these attempts began, perhaps too late to be served by it. */
  hasNewcomerSince(attemptsEnded: number): boolean {
    return [...this.#joinedAfter.values()].some((begun) => begun > attemptsEnded)
  }

  wake(): void {
    for (const attachment of this) attachment.wake()
  }

  lookAnew(): void {
    for (const attachment of this) attachment.lookAnew()
  }

  /** Nobody uses what is in force before databases, and whoever else is asked meanwhile, have said whether it lives. */
  doubt(othersAnswer: Promise<unknown>): void {
    for (const attachment of this) attachment.doubt(othersAnswer)
  }

  leave(): void {
    for (const attachment of this) attachment.leave()
  }
}
