import type { Clock } from '../resilience/clock.ts'
import { StormLimit } from '../resilience/storm-limit.ts'
import type { Attachment } from './attachment.ts'
import type { Attachments } from './attachments.ts'
import type { Credential } from './credential.ts'
import type { ExpectedPassword } from './expected-password.ts'
import type { Generation } from './generation.ts'
import { judge } from './judgement.ts'
import type { OldGenerations } from './old-generations.ts'
import type { RotationReason } from './schedule.ts'
import type { Standing } from './standing.ts'

interface DismissalParts {
  readonly clock: Clock
  readonly standing: Standing
  readonly old: OldGenerations
  readonly attachments: Attachments
  readonly expectedPassword: ExpectedPassword
  readonly isClosing: () => boolean
  /** A credential is out of force. */
  readonly onDead: (dead: Generation) => void
  /** Another one was asked for. */
  readonly onForced: () => void
}

/**
 * Takes out of force what is dead: its lease is over, Vault does not know it any more, or databases refuse it. Asks for
 * another, with growing gaps when that happens again and again.
 */
export class Dismissal {
  readonly #parts: DismissalParts
  readonly #forced = new StormLimit()

  constructor(parts: DismissalParts) {
    this.#parts = parts
  }

  /** The life of what is in force is over. */
  expire(): void {
    const { clock, standing, old } = this.#parts
    const { dead, toRetire } = this.#takeOutOfForce()
    if (toRetire) old.drop(toRetire)
    // Leases, or tokens, that live for a moment only are not fetched without end.
    if (dead) standing.force('start', this.#forced.next(clock.now()))
  }

  /** The credential is dead, whatever its lease says. */
  discard(generation: Generation, reason: RotationReason): void {
    const { standing, old, isClosing } = this.#parts
    if (isClosing() || generation !== standing.inForce) return
    const { toRetire } = this.#takeOutOfForce()
    if (toRetire) old.abandon(toRetire)
    this.#force(reason)
  }

  /** The database of one consumer refuses the credential in force: finds out whether it is dead for all. */
  async judge(refused: Attachment, credential: Credential, wasProven: boolean): Promise<void> {
    const { standing, attachments, expectedPassword, isClosing } = this.#parts
    const mayHaveAnotherPassword = standing.inForce?.mayHaveAnotherPassword ?? false
    const tellsOfTheUser = wasProven || mayHaveAnotherPassword
    const judgement = await judge(refused, attachments, credential, tellsOfTheUser)
    const generation = standing.inForce
    if (isClosing() || generation?.credential !== credential) return
    // The others may only not have heard of a new password yet.
    if (judgement === 'alone' && !(wasProven && mayHaveAnotherPassword)) return
    if (mayHaveAnotherPassword) expectedPassword.ofUserInForce()
    if (judgement === 'dead') this.discard(generation, 'refused')
    else this.#force('refused')
  }

  /** A database goes on refusing a credential that stays in force: the source is asked for another password, without a gap. */
  askForPassword(credential: Credential): void {
    const { clock, standing, isClosing, onForced } = this.#parts
    const generation = standing.inForce
    if (isClosing() || generation?.credential !== credential || !generation.mayHaveAnotherPassword) return
    standing.force('refused', clock.now())
    onForced()
  }

  #force(reason: RotationReason): void {
    const { clock, standing, onForced } = this.#parts
    standing.force(reason, this.#forced.next(clock.now()))
    onForced()
  }

  #takeOutOfForce(): ReturnType<Standing['takeOutOfForce']> {
    const { standing, attachments, onDead } = this.#parts
    const taken = standing.takeOutOfForce()
    if (taken.dead) {
      onDead(taken.dead)
      attachments.wake()
    }
    return taken
  }
}
