import type { Clock } from '../resilience/clock.ts'
import { settled } from '../resilience/settle.ts'
import { SuspendWatch } from '../resilience/suspend-watch.ts'
import type { Attachments } from './attachments.ts'
import type { OldGenerations } from './old-generations.ts'
import type { Standing } from './standing.ts'
import type { Work } from './work.ts'

interface WakingUpParts {
  readonly clock: Clock
  readonly standing: Standing
  readonly old: OldGenerations
  readonly attachments: Attachments
  readonly work: Work
  readonly isClosing: () => boolean
  /** The source is to be asked at once. */
  readonly onDoubt: () => void
}

const answerOfSourceWithinMs = 2_000

/** Time has gone by that no clock of ours has counted: nobody uses the credential before it is known to live. */
export class WakingUp {
  readonly #parts: WakingUpParts
  readonly #watch: SuspendWatch
  #underWay: Promise<void> | undefined

  constructor(parts: WakingUpParts) {
    this.#parts = parts
    this.#watch = new SuspendWatch(parts.clock)
  }

  /** While it is not known yet. */
  get underWay(): Promise<void> | undefined {
    return this.#underWay
  }

  /** Notices what no timer has told. */
  lookAround(): void {
    const { standing, old, attachments, isClosing } = this.#parts
    if (!this.#watch.noticed() || isClosing() || !standing.inForce) return
    standing.doubt()
    old.hurry()
    this.#underWay ??= this.#sourceAsked().finally(() => {
      this.#underWay = undefined
    })
    attachments.doubt(this.#underWay)
  }

  async #sourceAsked(): Promise<void> {
    const { clock, work, onDoubt } = this.#parts
    // Whoever has noticed it is about to tick, or only wanted to know the credential.
    await Promise.resolve()
    if (!work.doing) onDoubt()
    if (work.done) await settled(clock, work.done, answerOfSourceWithinMs)
  }
}
