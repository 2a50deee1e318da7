import * as z from 'zod/mini'
import { InvalidOptionError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { type Clock, deadlineAfter, systemClock } from '../resilience/clock.ts'
import { withRetry } from '../resilience/retry.ts'
import type { VaultAnswer } from './answer.ts'
import type { AuthMethod } from './auth/auth.ts'
import { token as tokenAuth } from './auth/token.ts'
import { VaultClient, type VaultRequest } from './client.ts'
import { readEnvironment, type VaultEnvironment } from './environment.ts'
import { VaultError } from './errors.ts'
import { type Token, TokenSession } from './session.ts'
import { type TlsOptions, tlsConnectOptions } from './tls.ts'
import { Transport } from './transport.ts'

/** Which Vault, and how to come in. Everything is optional: the VAULT_* variables are the default. */
export interface VaultOptions {
  /** Default: VAULT_AGENT_ADDR, VAULT_ADDR, else https://127.0.0.1:8200. */
  readonly address?: string | undefined
  /** Default: VAULT_NAMESPACE. */
  readonly namespace?: string | undefined
  /** `token()`, `tokenFile()` or `appRole()`. Default: the token in VAULT_TOKEN. */
  readonly auth?: AuthMethod | undefined
  readonly tls?: TlsOptions | undefined
  /** The address of an HTTP proxy. Default: VAULT_PROXY_ADDR, VAULT_HTTP_PROXY; HTTP_PROXY is not read. */
  readonly proxy?: string | undefined
  /** How long one request may take, in milliseconds. Default: VAULT_CLIENT_TIMEOUT, else 60,000. */
  readonly timeoutMs?: number | undefined
  /** How often a request is repeated that failed for a reason that passes. Default: VAULT_MAX_RETRIES, else 2. */
  readonly maxRetries?: number | undefined
  /** Addresses of other nodes of the cluster, to which a standby may redirect. */
  readonly clusterAddresses?: readonly string[] | undefined
}

const optionSchema = z.strictObject({
  address: z.optional(z.string()),
  namespace: z.optional(z.string()),
  auth: z.optional(z.looseObject({ name: z.string(), logIn: z.any() })),
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
  maxRetries: z.optional(z.number().check(z.nonnegative())),
  clusterAddresses: z.optional(z.array(z.string())),
})

const defaultAddress = 'https://127.0.0.1:8200'
const defaultTimeoutMs = 60_000
const defaultMaxRetries = 2
const closeWithinMs = 5_000

/** A request with the session's token. */
export interface SessionRequest extends VaultRequest {
  /** The token should live at least this many milliseconds longer, where a new login can give such a one. */
  readonly outliveMs?: number | undefined
}

/** An answer, and the token that it was given to. */
export interface SessionAnswer extends VaultAnswer {
  readonly token: Token
}

/** A Vault or OpenBao server, with one token for all leases on it. Made by `createVault()`. */
export class Vault implements AsyncDisposable {
  readonly address: string
  readonly namespace: string | undefined
  readonly #client: VaultClient
  readonly #session: TokenSession
  readonly #maxRetries: number
  readonly #clock: Clock
  #closed: Promise<void> | undefined

  constructor(parts: {
    readonly address: string
    readonly namespace: string | undefined
    readonly transport: Transport
    readonly auth: AuthMethod
    readonly maxRetries: number
    readonly clock: Clock
  }) {
    const { address, namespace, transport, auth, maxRetries, clock } = parts
    this.address = address
    this.namespace = namespace
    this.#client = new VaultClient(address, namespace, transport)
    this.#maxRetries = maxRetries
    this.#clock = clock
    this.#session = new TokenSession(auth, (request, token) => this.#sendWithRetry(request, token), clock)
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
    const token = await this.#session.token(request.signal, request.outliveMs)
    try {
      return await this.#sendAs(token, request)
    } catch (error) {
      if (!isDenied(error)) throw error
      if (!(await this.#session.isDead(token, request.signal))) throw error
    }
    const fresh = await this.#session.token(request.signal, request.outliveMs)
    try {
      return await this.#sendAs(fresh, request)
    } catch (error) {
      throw isDenied(error) && fresh.value === token.value ? deadToken(error) : error
    }
  }

  /** Gives back the token, if the library logged in for it. Closing twice is closing once. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #sendAs(token: Token, request: VaultRequest): Promise<SessionAnswer> {
    return { ...(await this.#sendWithRetry(request, token.value)), token }
  }

  #sendWithRetry(request: VaultRequest, token?: string): Promise<VaultAnswer> {
    return withRetry(() => this.#client.send(request, token), {
      retries: this.#maxRetries,
      clock: this.#clock,
      random: Math.random,
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
  return createVaultOn(options, { clock: systemClock, env: process.env })
}

export function createVaultOn(
  options: VaultOptions,
  { clock, env }: { readonly clock: Clock; readonly env: NodeJS.ProcessEnv },
): Vault {
  checkVaultOptions(options)
  const environment = readEnvironment(env)
  const address = checkAddress(options.address ?? environment.address ?? defaultAddress)
  const transport = new Transport({
    tls: tlsConnectOptions(withDefaults(options.tls, environment)),
    proxy: checkProxy(options.proxy ?? environment.proxy),
    timeoutMs: options.timeoutMs ?? environment.timeoutMs ?? defaultTimeoutMs,
    followRedirects: environment.followRedirects ?? true,
    clusterAddresses: (options.clusterAddresses ?? []).map(checkAddress),
    clock,
  })
  return new Vault({
    address,
    namespace: options.namespace ?? environment.namespace,
    transport,
    auth: options.auth ?? tokenAuth(environment.token ?? missingToken()),
    maxRetries: options.maxRetries ?? environment.maxRetries ?? defaultMaxRetries,
    clock,
  })
}

/** @throws InvalidOptionError for what is wrong in the options alone, whatever the environment adds. */
export function checkVaultOptions(options: VaultOptions): void {
  checkOptions('The Vault options', optionSchema, options)
  if (options.address !== undefined) checkAddress(options.address)
}

/** One source of certificates: what the options name goes before everything that the environment names. */
function withDefaults(tls: TlsOptions = {}, environment: VaultEnvironment): TlsOptions {
  const ownAuthority = tls.caCert ?? tls.caCertFile ?? tls.caPath
  const { caCert, caCertFile, caPath, ...rest } = environment
  return { ...rest, ...(ownAuthority === undefined && { caCert, caCertFile, caPath }), ...tls }
}

function checkAddress(address: string): string {
  const url = httpUrl(address)
  if (!url) throw new InvalidOptionError('The address of Vault has to begin with http:// or https://.')
  if (url.username || url.password) {
    throw new InvalidOptionError(
      'The address of Vault takes no user and password: log in by the option auth.',
    )
  }
  return address.replace(/\/+$/, '')
}

function checkProxy(proxy: string | undefined): string | undefined {
  if (proxy === undefined || httpUrl(proxy)) return proxy
  throw new InvalidOptionError('The option "proxy" has to begin with http:// or https://.')
}

function httpUrl(text: string): URL | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? url : undefined
}

function missingToken(): never {
  throw new InvalidOptionError(
    'How to log in to Vault? Set the environment variable VAULT_TOKEN, or the option vault.auth: token(), tokenFile() or appRole().',
  )
}

function isDenied(error: unknown): boolean {
  return error instanceof VaultError && error.code === 'ERR_VAULT_PERMISSION_DENIED'
}

function deadToken(cause: unknown): VaultError {
  return new VaultError(
    'Vault does not know the token, or no longer: it is wrong, expired or revoked. Give a new one, or use an auth method that can log in again.',
    { code: 'ERR_VAULT_TOKEN_INVALID', retryable: false, status: 403, cause },
  )
}
