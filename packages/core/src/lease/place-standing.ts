import type { VaultLeaseError } from '../errors.ts'
import type { Credential } from './credential.ts'
import type { PlaceState } from './status.ts'

const firstGapMs = 250
const longestGapMs = 30_000

/** How a consumer stands with its own database, and when one that refuses is asked again. */
export class PlaceStanding {
  #state: PlaceState = 'unproven'
  #lastError: VaultLeaseError | undefined
  #refused: Credential | undefined
  #refusesWhatIsInUse = false
  #gapMs = firstGapMs
  /** When the database is asked again, in the clock's milliseconds. */
  nextTryAt: number | undefined

  get state(): PlaceState {
    return this.#state
  }

  get lastError(): VaultLeaseError | undefined {
    return this.#lastError
  }

  /** The credential that the database does not take from this consumer. */
  get refused(): Credential | undefined {
    return this.#refused
  }

  /** Whether the consumer has nothing that the database takes: not what it has used before, nor what was offered since. */
  get refusesWhatIsInUse(): boolean {
    return this.#refusesWhatIsInUse
  }

  /** The database takes what is in use, or has not been asked. */
  takes(state: 'proven' | 'unproven', error?: VaultLeaseError): void {
    this.#refused = undefined
    this.#refusesWhatIsInUse = false
    this.#becomes(state, error)
  }

  refuses(credential: Credential, error: VaultLeaseError, { inUse }: { readonly inUse: boolean }): void {
    this.#refused = credential
    this.#refusesWhatIsInUse ||= inUse
    this.#becomes('refused', error)
  }

  /** Whoever keeps a closed pool is to keep no secret. */
  forgetRefused(): void {
    this.#refused = undefined
  }

  /** Milliseconds until the next try: longer each time, and by chance. */
  nextGapMs(random: number): number {
    const gapMs = this.#gapMs * (0.5 + random)
    this.#gapMs = Math.min(longestGapMs, this.#gapMs * 2)
    return gapMs
  }

  #becomes(state: PlaceState, error: VaultLeaseError | undefined): void {
    if (this.#state !== state) this.#gapMs = firstGapMs
    this.#state = state
    this.#lastError = error
  }
}
