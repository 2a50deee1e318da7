import { awaited, type Clock, deadlineAfter } from '../resilience/clock.ts'
import type { TimedAnswer } from './answer.ts'
import type { AuthMethod } from './auth/auth.ts'
import type { CircuitBreaker, CircuitState } from './circuit-breaker.ts'
import { VaultClient } from './client.ts'
import { deadToken, isDenied, isTokenUsedUp, tokenUsedUp, vaultClosed } from './errors.ts'
import { withRetry } from './retry.ts'
import { type Sender, TokenSession } from './session.ts'
import type { Token } from './token.ts'
import type { Wire } from './transport.ts'
import {
  brandVaultClass,
  type SessionAnswer,
  type SessionRequest,
  type VaultForLeases,
} from './vault-for-leases.ts'

const closeWithinMs = 5_000

/** The Vault behind the interface: a session on a client, with retries and a circuit breaker before them. */
export class VaultServer implements VaultForLeases {
  static {
    brandVaultClass(VaultServer)
  }

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

  get circuit(): CircuitState {
    return this.#circuit.state
  }

  get session(): TokenSession {
    return this.#session
  }

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

  async renewToken(signal: AbortSignal): Promise<void> {
    if (this.#closed) throw vaultClosed()
    this.#circuit.check(this.#session.facts?.end)
    await this.#session.renew(signal)
  }

  close(): Promise<void> {
    this.#closed ??= awaited(this.#clock, this.#close())
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #sendAs(token: Token, request: SessionRequest): Promise<SessionAnswer> {
    try {
      const answer = { ...(await this.#sendWithRetry(request, token)), token }
      if (!request.holdToken) this.#session.release(token)
      return answer
    } catch (error) {
      this.#session.release(token)
      throw error
    }
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
  ): Promise<TimedAnswer> {
    let attempts = 0
    const send = async (): Promise<TimedAnswer> => {
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
