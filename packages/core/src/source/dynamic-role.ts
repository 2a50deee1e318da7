import { type TimedAnswer, textOf } from '../vault/answer.ts'
import { isLeaseFinal, isLeaseGone, VaultError } from '../vault/errors.ts'
import { apiPath } from '../vault/path.ts'
import type { Token } from '../vault/token.ts'
import type { SessionAnswer, SessionRequest } from '../vault/vault-for-leases.ts'
import { cachedLease, lastPartMs, timeLeftOf } from './cached-lease.ts'
import { finalLease, issuedLease, type Lease, renewedLease } from './lease.ts'
import type { CredentialSource, FetchTerms, IssuedCredential, RequestTerms } from './source.ts'
import type { VaultRole } from './vault-role.ts'

/** Credentials of a dynamic role of the database secrets engine: each read creates a database user. */
export function dynamicRole(role: VaultRole): CredentialSource {
  return new DynamicRole(role)
}

class DynamicRole implements CredentialSource {
  readonly description: string
  readonly #role: VaultRole
  readonly #path: string
  /** By lease: what keeps the token alive that it dies with. */
  readonly #tokens = new Map<string, Token>()
  /** Whether what listens before Vault has turned out to have no cache. */
  #uncached = false

  constructor(role: VaultRole) {
    this.#role = role
    this.#path = apiPath(role.mount, 'creds', role.name)
    this.description = `${role.mount}/creds/${role.name}`
  }

  get circuit() {
    return this.#role.open().circuit
  }

  async fetch(terms: FetchTerms): Promise<IssuedCredential> {
    const answer = await this.#read(terms, terms.pastCache)
    if (terms.pastCache || !(await this.#isCached(answer, terms))) return this.#own(answer, terms)
    const shared = await this.#shared(answer, terms)
    return shared ?? this.#own(await this.#read(terms, true), terms)
  }

  async renew(lease: Lease, terms: RequestTerms): Promise<Lease | 'gone'> {
    try {
      const { leaseDurationMs, renewable, sentAt } = await this.#renewFor(lease, lease.durationMs, terms)
      return renewedLease(lease, { sentAt, durationMs: leaseDurationMs, renewable })
    } catch (error) {
      if (isLeaseGone(error)) return 'gone'
      if (isLeaseFinal(error)) return finalLease(lease)
      throw error
    }
  }

  async shorten(lease: Lease, ms: number, signal: AbortSignal): Promise<void> {
    await unlessGone(this.#renewFor(lease, ms, { signal }))
  }

  revoke(lease: Lease, terms: RequestTerms): Promise<void> {
    return this.#revoke(lease, true, terms)
  }

  revokeInBackground(lease: Lease, terms: RequestTerms): Promise<void> {
    return this.#revoke(lease, false, terms)
  }

  async renewToken(signal: AbortSignal): Promise<void> {
    await this.#role.open().renewToken(signal)
  }

  async close(): Promise<void> {
    await this.#role.close()
  }

  #send(request: SessionRequest): Promise<SessionAnswer> {
    return this.#role.open().send(request)
  }

  /** The token of the answer is held until its lease is known, and what becomes of it. */
  #read({ signal, deadline, outliveMs }: FetchTerms, pastCache: boolean): Promise<SessionAnswer> {
    return this.#send({
      method: 'GET',
      path: this.#path,
      outliveMs,
      signal,
      deadline,
      pastCache,
      holdToken: true,
    })
  }

  /** A listener without a cache says that it missed, too, and a cache can have ceased to keep anything: a second read tells. */
  async #isCached({ cache, leaseId }: SessionAnswer, terms: FetchTerms): Promise<boolean> {
    if (cache !== 'miss') return cache === 'hit'
    if (this.#uncached) return false
    const second = await this.#read(terms, false).catch(() => undefined)
    // Without an answer nobody knows: others may live by it, so it is not ours to end.
    if (!second) return true
    const isCached = second.cache === 'hit' || second.leaseId === leaseId
    if (isCached) this.#role.open().session.release(second.token)
    else this.#discard(second, terms)
    this.#uncached = !isCached
    return isCached
  }

  /** A credential that nobody else has: its lease is renewed and revoked. */
  #own(answer: SessionAnswer, terms: FetchTerms): IssuedCredential {
    const lease = leaseOf(answer)
    const isInUse = this.#tokens.has(lease.id)
    try {
      this.#checkUsable(answer)
      const issued = this.#issued(answer, lease)
      this.#tokens.set(lease.id, answer.token)
      return issued
    } catch (error) {
      // What a cache has, or is in use, others live by.
      if (isInUse || answer.cache === 'hit') this.#role.open().session.release(answer.token)
      else this.#discard(answer, terms)
      throw error
    }
  }

  /** What came and nobody is to use. */
  #discard(answer: SessionAnswer, { discard }: FetchTerms): void {
    const { leaseId, token } = answer
    if (leaseId === '') this.#role.open().session.release(token)
    else {
      this.#tokens.set(leaseId, token)
      discard(leaseOf(answer))
    }
  }

  /** A credential out of a cache, which renews it: others have it too. None when it is too near its end. */
  async #shared(answer: SessionAnswer, terms: FetchTerms): Promise<IssuedCredential | undefined> {
    const { leaseId, leaseDurationMs, sentAt, cache, token } = answer
    // It dies with the token of whoever filled the cache.
    this.#role.open().session.release(token)
    const lookedAt =
      cache === 'miss'
        ? { leftMs: leaseDurationMs, at: sentAt }
        : await timeLeftOf(this.#role.open(), leaseId, terms)
    if (!lookedAt || lookedAt.leftMs <= lastPartMs(leaseDurationMs)) return undefined
    return this.#issued(answer, cachedLease(leaseId, leaseDurationMs, lookedAt))
  }

  #issued({ data, token }: SessionAnswer, lease: Lease): IssuedCredential {
    const username = textOf(data['username'], 'data.username', this.description)
    const password = textOf(data['password'], 'data.password', this.description)
    return { username, password, lease, tokenFacts: () => token.facts }
  }

  async #revoke({ id }: Lease, sync: boolean, terms: RequestTerms): Promise<void> {
    await unlessGone(this.#end(id, sync, terms))
    const token = this.#tokens.get(id)
    this.#tokens.delete(id)
    if (token) this.#role.open().session.release(token)
  }

  /** HashiCorp Vault queues the revocation unless told to be synchronous; OpenBao is synchronous unless told not to be. */
  async #end(leaseId: string, sync: boolean, { signal, deadline }: RequestTerms): Promise<void> {
    const body = { lease_id: leaseId, sync }
    await this.#send({ method: 'PUT', path: 'sys/leases/revoke', body, signal, deadline })
  }

  /** The form with the lease in the body: the default policy allows no other (sys/leases/renew/<id> is not in it). */
  #renewFor(lease: Lease, ms: number, { signal, deadline }: RequestTerms): Promise<SessionAnswer> {
    const body = { lease_id: lease.id, increment: Math.max(1, Math.round(ms / 1_000)) }
    return this.#send({ method: 'PUT', path: 'sys/leases/renew', body, signal, deadline })
  }

  #checkUsable({ leaseId, leaseDurationMs, ageMs }: TimedAnswer): void {
    const why =
      leaseId === ''
        ? 'It has no lease: is it a static role (option staticRole), or not a role of the database engine?'
        : leaseDurationMs === 0
          ? 'It is over at once: set default_ttl of the role to more than 0.'
          : leaseDurationMs <= ageMs
            ? 'It was over when it came: raise default_ttl of the role, or see why Vault took so long.'
            : this.#tokens.has(leaseId)
              ? 'A cache before Vault, which does not say that it is one, gave the one in use again: let that cache leave out credentials.'
              : undefined
    if (why === undefined) return
    throw new VaultError(`The credential read from ${this.description} cannot be used. ${why}`, {
      code: 'ERR_VAULT_BAD_ANSWER',
    })
  }
}

function leaseOf({ leaseId, sentAt, leaseDurationMs: durationMs, renewable }: SessionAnswer): Lease {
  return issuedLease(leaseId, { sentAt, durationMs, renewable })
}

/** What is gone needs neither to be shortened nor to be revoked. */
async function unlessGone(request: Promise<unknown>): Promise<void> {
  try {
    await request
  } catch (error) {
    if (!isLeaseGone(error)) throw error
  }
}
