import * as z from 'zod/mini'
import { checkOptions } from '../options/check-options.ts'
import { type Clock, deadlineAfter, systemClock } from '../resilience/clock.ts'
import { RateLimit, type RateLimitOptions } from '../resilience/rate-limit.ts'
import { checkNamespace, checkProxy, readAddresses } from './address.ts'
import type { VaultAnswer } from './answer.ts'
import type { AuthFunction, AuthMethod } from './auth/auth.ts'
import { defaultAuth } from './auth/default-auth.ts'
import { methodOf } from './auth/method-of.ts'
import { CircuitBreaker, type CircuitBreakerOptions, type CircuitState } from './circuit-breaker.ts'
import { VaultClient, type VaultRequest } from './client.ts'
import { Cluster } from './cluster.ts'
import { Dispatchers } from './dispatchers.ts'
import { readEnvironment, type VaultEnvironment } from './environment.ts'
import { deadToken, isDenied, isTokenUsedUp, tokenUsedUp, vaultClosed } from './errors.ts'
import { withRetry } from './retry.ts'
import { type Sender, TokenSession } from './session.ts'
import { TlsFiles, type TlsOptions } from './tls.ts'
import type { Token } from './token.ts'
import { Transport, type Wire } from './transport.ts'

/** Which Vault, and how to come in. Everything is optional: the VAULT_* variables are the default. */
export interface VaultOptions {
  /**
   * Where Vault is: http://, https://, or unix:// and the path of a socket of Vault Agent or Proxy. Several addresses are those of
   * one cluster: the one that answered last is asked first, and a standby may redirect to any of them, with the token, but to
   * nobody else. Default: VAULT_AGENT_ADDR, VAULT_ADDR, else https://127.0.0.1:8200.
   */
  readonly address?: string | readonly string[] | undefined
  /** Default: VAULT_NAMESPACE. */
  readonly namespace?: string | undefined
  /**
   * `token()`, `tokenFile()`, `appRole()`, `kubernetes()`, `jwt()`, `userpass()`, `cert()`, `none()`, or a function of your own.
   * Default: the token in VAULT_TOKEN; else none beside VAULT_AGENT_ADDR; else the file ~/.vault-token, if there is one.
   */
  readonly auth?: AuthMethod | AuthFunction | undefined
  readonly tls?: TlsOptions | undefined
  /** The address of an HTTP proxy. Default: VAULT_PROXY_ADDR, VAULT_HTTP_PROXY; HTTP_PROXY is not read. */
  readonly proxy?: string | undefined
  /** How long one request may take, in milliseconds. Default: VAULT_CLIENT_TIMEOUT, else 60,000. */
  readonly timeoutMs?: number | undefined
  /** How often a request is repeated that failed for a reason that passes. Default: VAULT_MAX_RETRIES, else 2. */
  readonly maxRetries?: number | undefined
  /** When Vault is left alone because it fails. */
  readonly circuitBreaker?: CircuitBreakerOptions | undefined
  /** How often Vault may be asked. Default: VAULT_RATE_LIMIT, else as often as there is a reason to. */
  readonly rateLimit?: RateLimitOptions | undefined
}

const optionSchema = z.strictObject({
  address: z.optional(
    z.union([z.string(), z.array(z.string()).check(z.minLength(1))], {
      error: 'a text is needed, or a list of texts',
    }),
  ),
  namespace: z.optional(z.string()),
  auth: z.optional(
    z.custom<AuthMethod | AuthFunction>(
      isAuth,
      'it takes what token(), appRole(), kubernetes() … return, or a function',
    ),
  ),
  tls: z.optional(
    z.strictObject({
      caCert: z.optional(z.string()),
      caCertFile: z.optional(z.string()),
      caPath: z.optional(z.string()),
      clientCertFile: z.optional(z.string()),
      clientKeyFile: z.optional(z.string()),
      serverName: z.optional(z.string()),
      skipVerify: z.optional(z.boolean()),
    }),
  ),
  proxy: z.optional(z.string()),
  timeoutMs: z.optional(z.number().check(z.positive())),
  maxRetries: z.optional(z.int().check(z.nonnegative())),
  circuitBreaker: z.optional(
    z.strictObject({
      failures: z.optional(z.int().check(z.positive())),
      pauseMs: z.optional(z.number().check(z.nonnegative())),
    }),
  ),
  rateLimit: z.optional(
    z.strictObject({
      rate: z.number().check(z.positive()),
      burst: z.optional(z.int().check(z.positive())),
    }),
  ),
})

function isAuth(value: unknown): boolean {
  if (typeof value === 'function') return true
  return typeof value === 'object' && value !== null && 'logIn' in value && typeof value.logIn === 'function'
}

const defaultAddress = 'https://127.0.0.1:8200'
const defaultTimeoutMs = 60_000
const defaultMaxRetries = 2
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

/**
 * Makes a Vault to share between leases. Nothing is sent before the first lease asks.
 *
 * @example
 * const vault = createVault({ address: 'https://vault.internal:8200', auth: appRole({ roleId, secretIdFile }) })
 *
 * @throws InvalidOptionError for an unknown option, an address that is none, a missing token, or a VAULT_* variable
 * that cannot be read.
 */
export function createVault(options: VaultOptions = {}): Vault {
  return createVaultOn(options, { clock: systemClock, env: process.env, random: Math.random })
}

export function createVaultOn(
  options: VaultOptions,
  {
    clock,
    env,
    random,
  }: { readonly clock: Clock; readonly env: NodeJS.ProcessEnv; readonly random: () => number },
): Vault {
  checkVaultOptions(options)
  const environment = readEnvironment(env)
  const address = options.address ?? environment.address ?? defaultAddress
  const rateLimit = options.rateLimit ?? environment.rateLimit
  const transport = new Transport({
    cluster: new Cluster(readAddresses(address)),
    dispatchers: new Dispatchers(
      new TlsFiles(withDefaults(options.tls, environment)),
      checkProxy(options.proxy ?? environment.proxy),
    ),
    rateLimit: rateLimit && new RateLimit(rateLimit, clock),
    timeoutMs: options.timeoutMs ?? environment.timeoutMs ?? defaultTimeoutMs,
    followRedirects: environment.followRedirects ?? true,
    clock,
  })
  return new Vault({
    address: [address].flat()[0] ?? defaultAddress,
    namespace: checkNamespace(options.namespace ?? environment.namespace),
    transport,
    auth: options.auth ? methodOf(options.auth) : defaultAuth(environment),
    maxRetries: options.maxRetries ?? environment.maxRetries ?? defaultMaxRetries,
    circuit: new CircuitBreaker(options.circuitBreaker ?? {}, clock),
    clock,
    random,
  })
}

/** @throws InvalidOptionError for what is wrong in the options alone, whatever the environment adds. */
export function checkVaultOptions(options: VaultOptions): void {
  checkOptions('The Vault options', optionSchema, options)
  if (options.address !== undefined) readAddresses(options.address)
}

/** One source of certificates: what the options name goes before everything that the environment names. */
function withDefaults(tls: TlsOptions = {}, environment: VaultEnvironment): TlsOptions {
  const ownAuthority = tls.caCert ?? tls.caCertFile ?? tls.caPath
  const { caCert, caCertFile, caPath, ...rest } = environment
  return { ...rest, ...(ownAuthority === undefined && { caCert, caCertFile, caPath }), ...tls }
}
