import type { Clock } from '../resilience/clock.ts'
import { unlessAborted } from '../resilience/settle.ts'
import type { VaultAnswer } from './answer.ts'
import type { AuthMethod, Login } from './auth/auth.ts'
import type { VaultRequest } from './client.ts'
import { isLeaseFinal, VaultError } from './errors.ts'

/** What is known of a token's life, on the manager's clock. */
export interface TokenFacts {
  readonly issuedAt: number
  /** Infinity for a token without an end, or of which nothing is known. */
  readonly end: number
  /** Whether renewing can still move the end. */
  readonly renewable: boolean
  /** Whether logging in again gives another token. */
  readonly replaceable: boolean
  /** When logging in again gave the same token. */
  readonly lastLookAt?: number
}

/** A token in use. Its value is readable but not enumerable. */
export class Token {
  readonly #value: string
  /** Vault made it for us, so we give it back. */
  readonly issued: boolean
  /** The duration that every renewal asks for. */
  readonly durationMs: number
  facts: TokenFacts
  /** Leases that die with the token. */
  leases = 0

  constructor(value: string, issued: boolean, durationMs: number, facts: TokenFacts) {
    this.#value = value
    this.issued = issued
    this.durationMs = durationMs
    this.facts = facts
  }

  get value(): string {
    return this.#value
  }
}

/** Sends one request with a token's value, or without. */
export type SendAs = (request: VaultRequest, token?: string) => Promise<VaultAnswer>

const lookupSelf = { method: 'GET', path: 'auth/token/lookup-self' } as const
const revokeSelf = { method: 'PUT', path: 'auth/token/revoke-self', body: {} } as const

/** The life of the token: logged in for once, renewed, replaced before its end, and given back. It has no timer of its own. */
export class TokenSession {
  readonly #auth: AuthMethod
  readonly #send: SendAs
  readonly #clock: Clock
  readonly #alive = new Set<Token>()
  #current: Token | undefined
  #loggingIn: Promise<Token> | undefined

  constructor(auth: AuthMethod, send: SendAs, clock: Clock) {
    this.#auth = auth
    this.#send = send
    this.#clock = clock
  }

  /**
   * A token to work with. Logs in when there is none, and also when the one at hand cannot be extended and would end
   * within `outliveMs`: the new token is there before the old one dies.
   */
  async token(signal: AbortSignal | undefined, outliveMs = 0): Promise<Token> {
    const token = this.#current
    if (token && outlives(token.facts, this.#clock.now(), outliveMs)) return token
    return await this.#logInOnce(signal)
  }

  /**
   * Extends the current token. One that Vault will not extend any more is known as such afterwards; then whoever gave it
   * may have another by now, as a file has that is written late.
   */
  async renew(signal: AbortSignal): Promise<void> {
    const token = this.#current
    if (!token) return
    if (!token.facts.renewable) {
      await this.#logInOnce(signal)
      return
    }
    const increment = `${Math.round(token.durationMs / 1_000)}s`
    try {
      const request = { method: 'PUT', path: 'auth/token/renew-self', body: { increment }, signal } as const
      const { auth, sentAt } = await this.#send(request, token.value)
      if (!auth) return
      const renewable = auth.renewable && auth.leaseDurationMs >= token.durationMs
      token.facts = { ...token.facts, issuedAt: sentAt, end: sentAt + auth.leaseDurationMs, renewable }
    } catch (error) {
      if (!(error instanceof VaultError) || error.retryable) throw error
      token.facts = { ...token.facts, renewable: false }
      if (!isLeaseFinal(error)) throw error
    }
  }

  /** A request was denied: is it the token that is dead? Then the next `token()` logs in anew. */
  async isDead(token: Token, signal: AbortSignal | undefined): Promise<boolean> {
    try {
      await this.#send({ ...lookupSelf, signal }, token.value)
      return false
    } catch (error) {
      if (!isDenied(error)) throw error
      this.#alive.delete(token)
      // Leases of others may still stand under it: nothing will extend it any more.
      token.facts = { ...token.facts, renewable: false }
      if (this.#current === token) this.#current = undefined
      return true
    }
  }

  /** A lease was made under this token and dies with it. */
  hold(token: Token): void {
    token.leases++
  }

  /** The lease is gone. A token that was replaced in the meantime is given back with its last lease. */
  async release(token: Token, signal: AbortSignal): Promise<void> {
    token.leases--
    if (token.leases === 0 && token !== this.#current) await this.#giveBack(token, signal)
  }

  /** Gives back every token that was logged in for. One that is gone already is no error. */
  async close(signal: AbortSignal): Promise<void> {
    if (this.#loggingIn) await unlessAborted(this.#loggingIn, signal).catch(() => {})
    this.#current = undefined
    await Promise.all(Array.from(this.#alive, (token) => this.#giveBack(token, signal)))
  }

  async #giveBack(token: Token, signal: AbortSignal): Promise<void> {
    if (!this.#alive.delete(token) || !token.issued) return
    try {
      await this.#send({ ...revokeSelf, signal }, token.value)
    } catch (error) {
      // A batch token cannot be revoked: it ends by itself.
      if (!isDenied(error) && !isLeaseFinal(error)) throw error
    }
  }

  async #logInOnce(signal: AbortSignal | undefined): Promise<Token> {
    this.#loggingIn ??= this.#logIn().finally(() => {
      this.#loggingIn = undefined
    })
    return await unlessAborted(this.#loggingIn, signal)
  }

  async #logIn(): Promise<Token> {
    const before = this.#current
    const login = await this.#auth.logIn({ login: (request) => this.#issue(request), signal: undefined })
    const same = before !== undefined && tokenOf(login) === before.value
    if (same && before.facts.end > this.#clock.now()) {
      before.facts = { ...before.facts, replaceable: false, lastLookAt: this.#clock.now() }
      return before
    }
    const token = login.kind === 'issued' ? issuedToken(login) : await this.#givenToken(login.token)
    if (token.facts.end <= this.#clock.now()) throw tokenEnded()
    this.#alive.add(token)
    this.#current = token
    if (before) before.facts = { ...before.facts, replaceable: true }
    if (before && before.leases === 0) this.#giveBackLater(before)
    return token
  }

  #giveBackLater(token: Token): void {
    // Nothing depends on it: a token that cannot be given back ends by itself, soon.
    this.#giveBack(token, new AbortController().signal).catch(() => {})
  }

  async #issue(request: VaultRequest): Promise<Login> {
    const { auth, sentAt } = await this.#send(request)
    if (auth) return { kind: 'issued', auth, sentAt }
    throw new VaultError(`Vault answered the login at ${request.path} without a token.`, {
      code: 'ERR_VAULT_LOGIN_FAILED',
    })
  }

  /** Learns how long a token lives that somebody else has made. */
  async #givenToken(value: string): Promise<Token> {
    try {
      const { data, sentAt } = await this.#send(lookupSelf, value)
      const ttlMs = typeof data['ttl'] === 'number' ? data['ttl'] * 1_000 : 0
      const durationMs = typeof data['creation_ttl'] === 'number' ? data['creation_ttl'] * 1_000 : ttlMs
      // The ttl is cut to whole seconds: 0 is also what a token says in its last one.
      const end = ttlMs > 0 || durationMs > 0 ? sentAt + ttlMs : Number.POSITIVE_INFINITY
      const renewable = data['renewable'] === true && ttlMs > 0
      return new Token(value, false, durationMs, { issuedAt: sentAt, end, renewable, replaceable: true })
    } catch (error) {
      if (!isDenied(error)) throw error
      // It may be dead, or not allowed to look itself up. What it is used for will tell.
      const facts = {
        issuedAt: this.#clock.now(),
        end: Number.POSITIVE_INFINITY,
        renewable: false,
        replaceable: true,
      }
      return new Token(value, false, 0, facts)
    }
  }
}

function issuedToken({ auth, sentAt }: Extract<Login, { kind: 'issued' }>): Token {
  const end = auth.leaseDurationMs > 0 ? sentAt + auth.leaseDurationMs : Number.POSITIVE_INFINITY
  return new Token(auth.token, true, auth.leaseDurationMs, {
    issuedAt: sentAt,
    end,
    renewable: auth.renewable,
    replaceable: true,
  })
}

function tokenEnded(): VaultError {
  return new VaultError(
    'The Vault token has come to its end. Give a new one, or use an auth method that can log in again.',
    { code: 'ERR_VAULT_TOKEN_INVALID' },
  )
}

function tokenOf(login: Login): string {
  return login.kind === 'issued' ? login.auth.token : login.token
}

function outlives({ end, renewable, replaceable }: TokenFacts, now: number, ms: number): boolean {
  return end > now && (renewable || !replaceable || end > now + ms)
}

function isDenied(error: unknown): boolean {
  return error instanceof VaultError && error.code === 'ERR_VAULT_PERMISSION_DENIED'
}
