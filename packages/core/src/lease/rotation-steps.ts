import type { VaultLeaseError } from '../errors.ts'
import type { Clock } from '../resilience/clock.ts'
import type { RotationStep, StepTime } from './events.ts'
import { asLeaseError } from './failures.ts'

const order: readonly RotationStep[] = ['fetch', 'prove', 'publish']

/** The steps of one attempt to put another credential in force, one after another. */
export class RotationSteps {
  readonly #clock: Clock
  readonly #began: number
  readonly #all: StepTime[] = []
  #stepBegan: number
  #over = false

  constructor(clock: Clock) {
    this.#clock = clock
    this.#began = clock.now()
    this.#stepBegan = this.#began
  }

  get all(): readonly StepTime[] {
    return this.#all
  }

  /** Since the attempt was decided on. */
  get tookMs(): number {
    return this.#clock.now() - this.#began
  }

  done(step: RotationStep): void {
    this.#note(step, undefined)
  }

  /** The step under way has failed, and the attempt with it. To be told once is enough. */
  failed(error: unknown): void {
    const step = order[this.#all.length]
    if (this.#over || !step) return
    this.#over = true
    this.#note(step, asLeaseError(step === 'publish' ? 'prove' : step, error))
  }

  #note(step: RotationStep, error: VaultLeaseError | undefined): void {
    const now = this.#clock.now()
    this.#all.push({ step, tookMs: now - this.#stepBegan, error })
    this.#stepBegan = now
  }
}
