import { InvalidOptionError } from '../errors.ts'
import type { Clock } from '../resilience/clock.ts'
import { unlessAborted } from '../resilience/settle.ts'
import { SingleFlight } from '../resilience/single-flight.ts'
import { SuspendWatch } from '../resilience/suspend-watch.ts'
import { badAnswer, type TimedAnswer } from './answer.ts'
import type { AuthMethod, Login, LoginContext } from './auth/auth.ts'
import type { ClientRequest } from './client.ts'
import { isDenied, isForbidden, isLeaseFinal, tokenEnded, tokenUsedUp, VaultError } from './errors.ts'
import {
  issuedToken,
  lookedUpEnd,
  lookedUpToken,
  type Token,
  type TokenFacts,
  unknownToken,
} from './token.ts'

/** Sends a request with a token, or without. A use of the token was taken for it; each repetition takes one more. */
export type SendAs = (request: ClientRequest, token?: Sender) => Promise<TimedAnswer>

/** What a request needs of a token. */
export type Sender = Pick<Token, 'value' | 'spend'>

const lookupSelf = { method: 'GET', path: 'auth/token/lookup-self' } as const
const renewSelf = { method: 'PUT', path: 'auth/token/renew-self' } as const
const revokeSelf = { method: 'PUT', path: 'auth/token/revoke-self', body: {} } as const
const lookUpWrapped = { method: 'PUT', path: 'sys/wrapping/lookup' } as const
const unwrapIt = { method: 'PUT', path: 'sys/wrapping/unwrap', body: {} } as const

/** The life of the token: logged in for once, renewed, replaced before its end, and given back. It has no timer of its own. */
export class TokenSession {
  readonly #auth: AuthMethod
  readonly #send: SendAs
  readonly #clock: Clock
  readonly #suspendWatch: SuspendWatch
  readonly #alive = new Set<Token>()
  readonly #givingBack = new Set<Promise<void>>()
  readonly #logins = new SingleFlight((signal) => this.#logIn(signal))
  #current: Token | undefined

  constructor(auth: AuthMethod, send: SendAs, clock: Clock) {
    this.#auth = auth
    this.#send = send
    this.#clock = clock
    this.#suspendWatch = new SuspendWatch(clock)
  }

  /** The life of the token at hand; `undefined` when there is none. */
  get facts(): TokenFacts | undefined {
    return this.#current?.facts
  }

  /**
   * A token to work with, a use of which is taken, and which is held until `release()`. Logs in when there is none, and also when the one at hand is used up, or
   * cannot be extended and would end within `outliveMs`: the new token is there before the old one dies.
   */
  async token(signal: AbortSignal | undefined, outliveMs = 0): Promise<Token> {
    const current = this.#current
    const lives = current && outlives(current.facts, this.#clock.now(), outliveMs)
    let token = lives ? current : await this.#logins.join(signal)
    // Others may have taken its uses in the meantime.
    while (!token.spend()) token = await this.#logins.join(signal)
    token.holders++
    return token
  }

  /**
   * Extends the current token. One that Vault will not extend any more is known as such afterwards; then whoever gave it
   * may have another by now, as a file has that is written late. After a suspend, in which tokens have aged unseen, Vault is
   * asked how long each of them lives.
   */
  async renew(signal: AbortSignal): Promise<void> {
    if (this.#suspendWatch.noticed()) await this.#lookUpAll(signal)
    const token = this.#current
    if (!token) return
    const { renewable, replaceable } = token.facts
    if (renewable && token.spend()) await this.#extend(token, signal)
    else if (renewable || !replaceable) await this.#logins.join(signal)
  }

  async #extend(token: Token, signal: AbortSignal): Promise<void> {
    const increment = `${Math.round(token.durationMs / 1_000)}s`
    token.holders++
    try {
      const { auth, sentAt } = await this.#send({ ...renewSelf, body: { increment }, signal }, token)
      if (!auth) throw badAnswer('it has no auth', `PUT ${renewSelf.path}`)
      const renewable = auth.renewable && auth.leaseDurationMs >= token.durationMs
      token.facts = { ...token.facts, issuedAt: sentAt, end: sentAt + auth.leaseDurationMs, renewable }
    } catch (error) {
      if (!(error instanceof VaultError) || error.retryable) throw error
      token.facts = { ...token.facts, renewable: false }
      if (!isLeaseFinal(error)) throw error
    } finally {
      this.release(token)
    }
  }

  /** A request was denied: is it the token that is dead? Then the next `token()` logs in anew. */
  async isDead(token: Token, signal: AbortSignal | undefined): Promise<boolean> {
    if (!token.spend()) return false
    try {
      await this.#send({ ...lookupSelf, signal }, token)
      return false
    } catch (error) {
      if (isForbidden(error)) return false
      if (!isDenied(error)) throw error
      this.#alive.delete(token)
      this.#leave(token)
      return true
    }
  }

  /** What held the token is over. One that was replaced in the meantime is given back with the last that held it. */
  release(token: Token): void {
    token.holders--
    if (token.holders === 0 && token !== this.#current) this.#giveBackLater(token)
  }

  /** Gives back every token that was logged in for. One that is gone already is no error. */
  async close(signal: AbortSignal): Promise<void> {
    await unlessAborted(this.#logins.underWay ?? Promise.resolve(undefined), signal).catch(() => {})
    this.#current = undefined
    await Promise.all(Array.from(this.#alive, (token) => this.#giveBack(token, signal)))
    if (this.#givingBack.size > 0) await unlessAborted(Promise.all(this.#givingBack), signal)
  }

  async #lookUpAll(signal: AbortSignal): Promise<void> {
    const renewed = this.#current?.facts.renewable ? this.#current : undefined
    const others = [...this.#alive].filter(
      (token) => token !== renewed && token.facts.end < Number.POSITIVE_INFINITY,
    )
    await Promise.all(others.map((token) => this.#lookUp(token, signal)))
  }

  /** One that may not be looked up is left as it is known: what it is used for will tell. */
  async #lookUp(token: Token, signal: AbortSignal): Promise<void> {
    if (!token.spend()) return
    try {
      const end = lookedUpEnd(await this.#send({ ...lookupSelf, signal }, token))
      token.facts = { ...token.facts, end }
    } catch (error) {
      if (!isDenied(error)) throw error
    }
  }

  async #giveBack(token: Token, signal: AbortSignal): Promise<void> {
    if (!this.#alive.delete(token) || !token.issued) return
    try {
      await this.#send({ ...revokeSelf, signal }, lastUseOf(token.value))
    } catch (error) {
      // A batch token cannot be revoked: it ends by itself.
      if (!isDenied(error) && !isLeaseFinal(error)) throw error
    }
  }

  async #logIn(signal: AbortSignal): Promise<Token> {
    const before = this.#current
    const login = await this.#auth.logIn(this.#context(signal))
    if (before && isSame(login, before) && before.facts.end > this.#clock.now()) {
      if (before.usedUp) throw tokenUsedUp()
      before.facts = { ...before.facts, replaceable: false, lastLookAt: this.#clock.now() }
      return before
    }
    const token = await this.#tokenOf(login, signal)
    if (token.facts.end <= this.#clock.now()) throw tokenEnded()
    this.#alive.add(token)
    if (token.usedUp) {
      this.#giveBackLater(token)
      throw tokenUsedUp()
    }
    if (before) this.#leave(before)
    this.#current = token
    if (before && before.holders === 0) this.#giveBackLater(before)
    return token
  }

  /** Leases may still stand under it, but nothing will extend it any more. */
  #leave(token: Token): void {
    token.facts = { ...token.facts, renewable: false, replaceable: true }
    if (this.#current === token) this.#current = undefined
  }

  #giveBackLater(token: Token): void {
    // Nothing depends on it: a token that cannot be given back ends by itself, soon.
    const givingBack = this.#giveBack(token, new AbortController().signal)
      .catch(() => {})
      .finally(() => this.#givingBack.delete(givingBack))
    this.#givingBack.add(givingBack)
  }

  #context(signal: AbortSignal): LoginContext {
    return {
      signal,
      login: (request) => this.#issue({ ...request, signal }),
      lookUpWrapped: (token) => this.#send({ ...lookUpWrapped, body: { token }, signal }),
      unwrap: (value) => this.#send({ ...unwrapIt, signal }, lastUseOf(value)),
    }
  }

  async #issue(request: ClientRequest): Promise<Login> {
    if (!request.path.startsWith('auth/')) throw notALogin(request.path)
    const { auth, sentAt } = await this.#send(request)
    if (auth) return { kind: 'issued', auth, sentAt }
    throw new VaultError(`Vault answered the login at ${request.path} without a token.`, {
      code: 'ERR_VAULT_LOGIN_FAILED',
    })
  }

  async #tokenOf(login: Login, signal: AbortSignal): Promise<Token> {
    if (login.kind === 'issued') return issuedToken(login)
    if (login.kind === 'none') return unknownToken(undefined, this.#clock.now())
    return await this.#givenToken(login.token, signal)
  }

  /** Learns how long a token lives that somebody else has made. */
  async #givenToken(value: string, signal: AbortSignal): Promise<Token> {
    try {
      return lookedUpToken(value, await this.#send({ ...lookupSelf, signal }, lastUseOf(value)))
    } catch (error) {
      if (!isDenied(error)) throw error
      // It may be dead, or not allowed to look itself up. What it is used for will tell.
      return unknownToken(value, this.#clock.now())
    }
  }
}

function notALogin(path: string): InvalidOptionError {
  return new InvalidOptionError(`The path of login() begins with auth/ and the mount, not as ${path}.`)
}

/** For a request that may be the last with the token, because no lease is to live on under it. */
function lastUseOf(value: string | undefined): Sender {
  return { value, spend: () => true }
}

function isSame(login: Login, { value }: Token): boolean {
  if (login.kind === 'none') return value === undefined
  return value === (login.kind === 'issued' ? login.auth.token : login.token)
}

function outlives({ end, renewable, replaceable }: TokenFacts, now: number, ms: number): boolean {
  return end > now && (renewable || !replaceable || end > now + ms)
}
