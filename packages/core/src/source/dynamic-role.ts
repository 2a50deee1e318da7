import { issuedLease, type Lease, renewedLease } from '../lease/lease.ts'
import { recordOf, textOf, type VaultAnswer } from '../vault/answer.ts'
import { VaultError } from '../vault/errors.ts'
import { apiPath } from '../vault/path.ts'
import type { Token } from '../vault/session.ts'
import type { Vault } from '../vault/vault.ts'
import type { CredentialSource, IssuedCredential } from './source.ts'

export interface DynamicRoleOptions {
  readonly vault: Vault
  readonly mount: string
  readonly role: string
  /** The lease made the Vault for itself, and closes it. */
  readonly ownsVault: boolean
}

/** Credentials of a dynamic role of the database secrets engine: each read creates a database user. */
export function dynamicRole(options: DynamicRoleOptions): CredentialSource {
  return new DynamicRole(options)
}

interface DynamicCredential extends IssuedCredential {
  readonly token: Token
}

class DynamicRole implements CredentialSource {
  readonly description: string
  readonly #vault: Vault
  readonly #path: string
  readonly #ownsVault: boolean
  readonly #tokens = new Map<string, Token>()

  constructor({ vault, mount, role, ownsVault }: DynamicRoleOptions) {
    this.#vault = vault
    this.#path = apiPath(mount, 'creds', role)
    this.description = `${mount}/creds/${role}`
    this.#ownsVault = ownsVault
  }

  async fetch({ outliveMs, signal }: { outliveMs: number; signal: AbortSignal }): Promise<DynamicCredential> {
    const answer = await this.#vault.send({ method: 'GET', path: this.#path, outliveMs, signal })
    const { token, leaseId, leaseDurationMs, renewable, sentAt } = answer
    this.#checkUsable(answer)
    const data = recordOf(answer.data, 'data', this.description)
    const username = textOf(data['username'], 'data.username', this.description)
    const password = textOf(data['password'], 'data.password', this.description)
    this.#vault.session.hold(token)
    this.#tokens.set(leaseId, token)
    const lease = issuedLease(leaseId, { sentAt, durationMs: leaseDurationMs, renewable })
    return { username, password, lease, token, tokenFacts: () => token.facts }
  }

  async renew(lease: Lease, signal: AbortSignal): Promise<Lease> {
    const { leaseDurationMs, renewable, sentAt } = await this.#renewFor(lease, lease.durationMs, signal)
    return renewedLease(lease, { sentAt, durationMs: leaseDurationMs, renewable })
  }

  async shorten(lease: Lease, ms: number, signal: AbortSignal): Promise<void> {
    await this.#renewFor(lease, ms, signal)
  }

  revoke(issued: IssuedCredential, signal: AbortSignal): Promise<void> {
    return this.#revoke(issued, true, signal)
  }

  revokeInBackground(issued: IssuedCredential, signal: AbortSignal): Promise<void> {
    return this.#revoke(issued, false, signal)
  }

  /** HashiCorp Vault queues the revocation unless told to be synchronous; OpenBao is synchronous unless told not to be. */
  async #revoke({ lease }: IssuedCredential, sync: boolean, signal: AbortSignal): Promise<void> {
    const body = { lease_id: lease.id, sync }
    await this.#vault.send({ method: 'PUT', path: 'sys/leases/revoke', body, signal })
    const token = this.#tokens.get(lease.id)
    this.#tokens.delete(lease.id)
    if (token) await this.#vault.session.release(token, signal)
  }

  async renewToken(signal: AbortSignal): Promise<void> {
    await this.#vault.session.renew(signal)
  }

  async close(): Promise<void> {
    if (this.#ownsVault) await this.#vault.close()
  }

  /** The form with the lease in the body: the default policy allows no other (sys/leases/renew/<id> is not in it). */
  #renewFor(lease: Lease, ms: number, signal: AbortSignal): ReturnType<Vault['send']> {
    const body = { lease_id: lease.id, increment: Math.max(1, Math.round(ms / 1_000)) }
    return this.#vault.send({ method: 'PUT', path: 'sys/leases/renew', body, signal })
  }

  #checkUsable({ leaseId, leaseDurationMs, ageMs }: VaultAnswer): void {
    const why =
      leaseId === ''
        ? 'It has no lease: is it a static role, or not a role of the database engine?'
        : leaseDurationMs === 0
          ? 'It is over at once: set default_ttl of the role to more than 0.'
          : leaseDurationMs <= ageMs
            ? 'It was over when it came: raise default_ttl of the role, or let a cache before Vault leave out credentials.'
            : this.#tokens.has(leaseId)
              ? 'A cache before Vault gave the one in use again: let that cache leave out credentials.'
              : undefined
    if (why === undefined) return
    throw new VaultError(`The credential read from ${this.description} cannot be used. ${why}`, {
      code: 'ERR_VAULT_BAD_ANSWER',
    })
  }
}
