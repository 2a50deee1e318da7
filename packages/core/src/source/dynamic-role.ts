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

interface DynamicCredential extends IssuedCredential {
  readonly token: Token
}

class DynamicRole implements CredentialSource {
  readonly description: string
  readonly #role: VaultRole
  readonly #path: string
  readonly #tokens = new Map<string, Token>()
  /** Whether there is a cache before Vault, once that is known. */
  #cached: boolean | undefined

  constructor(role: VaultRole) {
    this.#role = role
    this.#path = apiPath(role.mount, 'creds', role.name)
    this.description = `${role.mount}/creds/${role.name}`
  }

  get circuit() {
    return this.#role.open().circuit
  }

  async fetch(terms: FetchTerms): Promise<DynamicCredential> {
    const { signal, deadline, outliveMs, pastCache } = terms
    const request = { method: 'GET', path: this.#path, outliveMs, signal, deadline } as const
    const answer = await this.#send({ ...request, pastCache })
    if (pastCache || !(await this.#isCached(answer, request))) return this.#own(answer)
    const shared = await this.#shared(answer, terms)
    return shared ?? this.#own(await this.#send({ ...request, pastCache: true }))
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

  revoke(issued: IssuedCredential, terms: RequestTerms): Promise<void> {
    return this.#revoke(issued, true, terms)
  }

  revokeInBackground(issued: IssuedCredential, terms: RequestTerms): Promise<void> {
    return this.#revoke(issued, false, terms)
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

  /** A listener without a cache says that it missed, too: a second read tells, once. */
  async #isCached({ cache, leaseId }: SessionAnswer, request: SessionRequest): Promise<boolean> {
    if (cache !== 'miss') return cache === 'hit'
    if (this.#cached !== undefined) return this.#cached
    const second = await this.#send(request)
    this.#cached = second.leaseId === leaseId
    if (!this.#cached) await this.#end(second.leaseId, true, request)
    return this.#cached
  }

  /** A credential that nobody else has: its lease is renewed and revoked. */
  #own(answer: SessionAnswer): DynamicCredential {
    const { token, leaseId, leaseDurationMs, renewable, sentAt } = answer
    this.#checkUsable(answer)
    const lease = issuedLease(leaseId, { sentAt, durationMs: leaseDurationMs, renewable })
    const issued = this.#issued(answer, lease)
    this.#role.open().session.hold(token)
    this.#tokens.set(leaseId, token)
    return issued
  }

  /** A credential out of a cache, which renews it: others have it too. None when it is too near its end. */
  async #shared(answer: SessionAnswer, terms: FetchTerms): Promise<DynamicCredential | undefined> {
    const { leaseId, leaseDurationMs, sentAt, cache } = answer
    const lookedAt =
      cache === 'miss'
        ? { leftMs: leaseDurationMs, at: sentAt }
        : await timeLeftOf(this.#role.open(), leaseId, terms)
    if (!lookedAt || lookedAt.leftMs <= lastPartMs(leaseDurationMs)) return undefined
    return this.#issued(answer, cachedLease(leaseId, leaseDurationMs, lookedAt))
  }

  #issued({ data, token }: SessionAnswer, lease: Lease): DynamicCredential {
    const username = textOf(data['username'], 'data.username', this.description)
    const password = textOf(data['password'], 'data.password', this.description)
    return { username, password, lease, token, tokenFacts: () => token.facts }
  }

  async #revoke(
    { lease }: IssuedCredential,
    sync: boolean,
    { signal, deadline }: RequestTerms,
  ): Promise<void> {
    await unlessGone(this.#end(lease.id, sync, { signal, deadline }))
    const token = this.#tokens.get(lease.id)
    this.#tokens.delete(lease.id)
    if (token) await this.#role.open().session.release(token, signal)
  }

  /** HashiCorp Vault queues the revocation unless told to be synchronous; OpenBao is synchronous unless told not to be. */
  async #end(
    leaseId: string,
    sync: boolean,
    { signal, deadline }: Pick<SessionRequest, 'signal' | 'deadline'>,
  ): Promise<void> {
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

/** What is gone needs neither to be shortened nor to be revoked. */
async function unlessGone(request: Promise<unknown>): Promise<void> {
  try {
    await request
  } catch (error) {
    if (!isLeaseGone(error)) throw error
  }
}
