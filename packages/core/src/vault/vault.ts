import { type Clock, deadlineAfter } from '../resilience/clock.ts'
import type { VaultAnswer } from './answer.ts'
import type { AuthMethod } from './auth/auth.ts'
import type { CircuitBreaker, CircuitState } from './circuit-breaker.ts'
import { VaultClient, type VaultRequest } from './client.ts'
import { deadToken, isDenied, isTokenUsedUp, tokenUsedUp, vaultClosed } from './errors.ts'
import { withRetry } from './retry.ts'
import { type Sender, TokenSession } from './session.ts'
import type { Token } from './token.ts'
import type { Wire } from './transport.ts'

const closeWithinMs = 5_000

/** A request with the session's token. */
export interface SessionRequest extends VaultRequest {
  /** The token should live at least this many milliseconds longer, where a new login can give such a one. */
  readonly outliveMs?: number | undefined
  /** On the clock of the Vault: when the answer is of no use any more. */
  readonly deadline?: number | undefined
}

/** An answer, and the token that it was given to. */
export interface SessionAnswer extends VaultAnswer {
  readonly token: Token
}

/** A Vault or OpenBao server, with one token for all leases on it. Made by `createVault()`. */
export class Vault implements AsyncDisposable {
  /** The first, where there are several. */
  readonly address: string
  readonly namespace: string | undefined
  readonly #client: VaultClient
  readonly #session: TokenSession
  readonly #maxRetries: number
  readonly #circuit: CircuitBreaker
  readonly #clock: Clock
  readonly #random: () => number
  #closed: Promise<void> | undefined

  constructor(parts: {
    readonly address: string
    readonly namespace: string | undefined
    readonly transport: Wire
    readonly auth: AuthMethod
    readonly maxRetries: number
    readonly circuit: CircuitBreaker
    readonly clock: Clock
    readonly random: () => number
  }) {
    const { address, namespace, transport, auth, maxRetries, circuit, clock, random } = parts
    this.address = address
    this.namespace = namespace
    this.#client = new VaultClient(namespace, transport)
    this.#maxRetries = maxRetries
    this.#circuit = circuit
    this.#clock = clock
    this.#random = random
    // Whether the circuit lets a request through is known before a token is obtained for it.
    const now = Number.NEGATIVE_INFINITY
    this.#session = new TokenSession(
      auth,
      (request, token) => this.#sendWithRetry(request, token, now),
      clock,
    )
  }

  /** The state of the circuit breaker: while it is `open`, Vault is left alone because it failed several times in a row. */
  get circuit(): CircuitState {
    return this.#circuit.state
  }

  /** The life of the token. For the lease manager. */
  get session(): TokenSession {
    return this.#session
  }

  /**
   * Sends a request with the session's token, logging in when there is none. When the token turns out to be dead, it
   * logs in once more and repeats the request.
   *
   * @throws VaultError
   */
  async send(request: SessionRequest): Promise<SessionAnswer> {
    if (this.#closed) throw vaultClosed()
    this.#circuit.check(request.deadline)
    const token = await this.#session.token(request.signal, request.outliveMs)
    try {
      return await this.#sendAs(token, request)
    } catch (error) {
      if (!(await this.#isOver(token, error, request.signal))) throw error
    }
    const fresh = await this.#session.token(request.signal, request.outliveMs)
    try {
      return await this.#sendAs(fresh, request)
    } catch (error) {
      throw isDenied(error) && fresh.value === token.value ? deadToken(error) : error
    }
  }

  /** Extends the life of the session's token. For the lease manager. */
  async renewToken(signal: AbortSignal): Promise<void> {
    if (this.#closed) throw vaultClosed()
    this.#circuit.check(this.#session.end)
    await this.#session.renew(signal)
  }

  /** Gives back the token, if the library logged in for it. Close it after its leases, which cannot be renewed or revoked then. Closing twice is closing once. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #sendAs(token: Token, request: SessionRequest): Promise<SessionAnswer> {
    return { ...(await this.#sendWithRetry(request, token)), token }
  }

  /** Whether a request failed because of its token, so that another one may help. */
  async #isOver(token: Token, error: unknown, signal: AbortSignal | undefined): Promise<boolean> {
    if (isTokenUsedUp(error)) return true
    // Without a token there is none to look up: the listener that adds one has to care for it.
    return isDenied(error) && token.value !== undefined && (await this.#session.isDead(token, signal))
  }

  /** @param neededBy by when the circuit breaker must have let it through. */
  #sendWithRetry(
    request: SessionRequest,
    token: Sender | undefined,
    neededBy: number | undefined = request.deadline,
  ): Promise<VaultAnswer> {
    let attempts = 0
    const send = async (): Promise<VaultAnswer> => {
      if (attempts++ > 0 && token?.spend() === false) throw tokenUsedUp()
      return await this.#client.send(request, token?.value)
    }
    return withRetry(() => this.#circuit.run(send, neededBy), {
      retries: this.#maxRetries,
      clock: this.#clock,
      random: this.#random,
      signal: request.signal,
    })
  }

  async #close(): Promise<void> {
    const tooLong = (): Error => new Error(`giving back the token took longer than ${closeWithinMs} ms`)
    const limit = deadlineAfter(this.#clock, closeWithinMs, tooLong)
    try {
      await this.#session.close(limit.signal)
    } finally {
      limit[Symbol.dispose]()
      await this.#client.close()
    }
  }
}
