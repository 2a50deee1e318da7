import { ConnectionRetiredError, CredentialsUnavailableError } from '../errors.ts'
import type { WaitOptions } from '../lease/wait.ts'
import type { Clock } from '../resilience/clock.ts'

/** Who knows why a connection could not be opened. */
export interface Reconnecting {
  /** Whether connecting again makes sense: the credential was refused, and there is another one within the wait. */
  worthConnectingAgain(error: unknown, wait: WaitOptions): Promise<boolean>
}

/** The tries to get one connection: how long they may take all in all, and what is tried again. */
export class Attempts {
  readonly #clock: Clock
  readonly #until: number | undefined
  #mayTryAgain = true

  /** @param patienceMs Milliseconds for everything that has to be waited for; none: no limit. */
  constructor(clock: Clock, patienceMs: number | undefined) {
    this.#clock = clock
    this.#until = patienceMs === undefined ? undefined : clock.now() + patienceMs
  }

  /** Milliseconds that are left. */
  get leftMs(): number | undefined {
    return this.#until === undefined ? undefined : Math.max(0, this.#until - this.#clock.now())
  }

  /** Whether another try may do better than the one that failed. After an error of the server there is one more. */
  async another(error: unknown, connections: Reconnecting): Promise<boolean> {
    // Nobody has used it yet: the credential went out of force, or was replaced, while it was being opened.
    if (error instanceof CredentialsUnavailableError || error instanceof ConnectionRetiredError) return true
    if (!this.#mayTryAgain) return false
    this.#mayTryAgain = false
    return await connections.worthConnectingAgain(error, { timeoutMs: this.leftMs })
  }
}
