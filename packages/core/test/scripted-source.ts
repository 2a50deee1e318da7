import { issuedLease, type Lease, renewedLease } from '../src/source/lease.ts'
import type { CredentialSource, IssuedCredential, RequestTerms } from '../src/source/source.ts'
import type { TokenFacts } from '../src/vault/token.ts'
import type { ManualClock } from './manual-clock.ts'

const second = 1_000

/** A source whose faults and grants a test decides; it counts what it is asked. */
export class ScriptedSource implements CredentialSource {
  readonly description = 'database/creds/app'
  readonly calls: string[] = []
  readonly alive = new Set<string>()
  ttl = 60 * second
  maxTtl = Number.POSITIVE_INFINITY
  fault: Error | undefined
  hang = false
  /** Which steps the fault is for, by how they begin. */
  faultAt = ''
  /** The token that credentials are read with. */
  token: TokenFacts | undefined
  /** Vault has ended the first lease. */
  leaseGone = false
  readonly #clock: ManualClock
  #issued = 0

  constructor(clock: ManualClock) {
    this.#clock = clock
  }

  async fetch({ signal }: { signal: AbortSignal }): Promise<IssuedCredential> {
    await this.#asked('fetch', signal)
    const number = ++this.#issued
    this.alive.add(`v-${number}`)
    const durationMs = Math.min(this.ttl, this.maxTtl)
    const lease = issuedLease(`lease/${number}`, { sentAt: this.#clock.now(), durationMs, renewable: true })
    return { username: `v-${number}`, password: `secret-${number}`, lease, tokenFacts: () => this.token }
  }

  async renew(
    lease: IssuedCredential['lease'],
    { signal }: RequestTerms,
  ): Promise<IssuedCredential['lease'] | 'gone'> {
    await this.#asked('renew', signal)
    if (this.leaseGone && lease.id === 'lease/1') return 'gone'
    const now = this.#clock.now()
    const durationMs = Math.min(this.ttl, lease.issuedAt + this.maxTtl - now)
    return renewedLease(lease, { sentAt: now, durationMs, renewable: true })
  }

  shorten(_lease: unknown, ms: number, signal: AbortSignal): Promise<void> {
    return this.#asked(`shorten to ${ms / second} s`, signal)
  }

  async revoke(lease: Lease, { signal }: RequestTerms): Promise<void> {
    const username = userOf(lease)
    await this.#asked(`revoke ${username}`, signal)
    this.alive.delete(username)
  }

  revokeInBackground(lease: Lease, { signal }: RequestTerms): Promise<void> {
    return this.#asked(`revoke ${userOf(lease)} in the background`, signal)
  }

  async renewToken(signal: AbortSignal): Promise<void> {
    await this.#asked('renew-token', signal)
    if (!this.token) return
    const issuedAt = this.#clock.now()
    this.token = { ...this.token, issuedAt, end: issuedAt + this.token.end - this.token.issuedAt }
  }

  async close(): Promise<void> {
    this.calls.push('close')
  }

  async #asked(what: string, signal: AbortSignal): Promise<void> {
    this.calls.push(what)
    if (this.hang)
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    if (this.fault && what.startsWith(this.faultAt)) throw this.fault
  }
}

function userOf({ id }: Lease): string {
  return id.replace('lease/', 'v-')
}
