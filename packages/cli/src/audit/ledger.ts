import type { AuditEvent, Holder, Issue, Revocation } from './event.ts'
import { isHash } from './hash.ts'
import { readLine } from './read-line.ts'

/** The renewals of a lease. */
export interface Renewals {
  readonly count: number
  readonly lastAt: number
  /** Of the last one. */
  readonly grantedMs: number | undefined
}

/**
 * What the lines of audit files tell of database users, in whatever order they come: the nodes of a cluster have a file each. It keeps
 * something for each lease and each revocation, and nothing for a line.
 */
export class Ledger {
  readonly issues: Issue[] = []
  /** Lines that are no entries. */
  broken = 0
  /** Whether the device wrote hashes in place of user names. */
  hidesNames = false
  readonly #isWanted: (issue: Issue) => boolean
  readonly #static = new Set<string>()
  /** By wrapping token: who asked. */
  readonly #wrapped = new Map<string, Holder>()
  readonly #renewals = new Map<string, Renewals>()
  /** By id, or by its hash. */
  readonly #revoked = new Map<string, Revocation>()
  readonly #hashes = new Map<string, string>()
  /** By namespace and prefix, with a slash at its end. */
  readonly #prefixes = new Map<string, Revocation[]>()
  readonly #tokens = new Map<string, Revocation>()
  readonly #tokenEnds = new Map<string, number>()

  /** @param isWanted which users are kept. */
  constructor(isWanted: (issue: Issue) => boolean) {
    this.#isWanted = isWanted
  }

  /** @param line as `linesOf()` gives it. */
  read(line: Buffer | undefined): void {
    try {
      if (!line) throw new SyntaxError('It is too long for an entry of an audit device.')
      const event = readLine(line)
      if (event) this.#add(event)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      this.broken += 1
    }
  }

  renewalsOf({ lease = '' }: Issue): Renewals | undefined {
    return this.#renewals.get(lease)
  }

  /** The hash of a lease id, where a renewal had both. */
  hashOf(lease: string): string | undefined {
    return this.#hashes.get(lease)
  }

  /** Whether there are revocations that name leases by their hashes alone. */
  get hasHashedRevocations(): boolean {
    return [...this.#revoked.keys()].some(isHash)
  }

  /** How a lease was ended on purpose: itself, with a prefix of its id, or with its token. */
  revocationOf({ lease, namespace, issuedAt, holder }: Issue, hash?: string): EndedOnPurpose | undefined {
    if (lease === undefined) return undefined
    const known = hash ?? this.hashOf(lease)
    const leases = [
      this.#revoked.get(lease),
      known === undefined ? undefined : this.#revoked.get(known),
      ...prefixesOf(lease).flatMap((prefix) => this.#prefixes.get(`${namespace} ${prefix}`) ?? []),
    ]
    const tokens = [this.#tokens.get(holder.accessor), this.#tokens.get(holder.token)]
    const found: readonly EndedOnPurpose[] = [
      ...leases.flatMap((revocation) => (revocation ? [{ ...revocation, with: 'lease' as const }] : [])),
      ...tokens.flatMap((revocation) => (revocation ? [{ ...revocation, with: 'token' as const }] : [])),
    ]
    return found.filter(({ at }) => at >= issuedAt).toSorted((a, b) => a.at - b.at)[0]
  }

  /** When the token of a holder ends, renewals included; `undefined` when it has no end. */
  tokenEndOf({ accessor, tokenEndsAt }: Issue['holder']): number | undefined {
    return tokenEndsAt === undefined
      ? undefined
      : Math.max(tokenEndsAt, this.#tokenEnds.get(accessor) ?? tokenEndsAt)
  }

  /** How many wrapping tokens were given out whose users these lines do not tell. */
  get wrapped(): number {
    return this.#wrapped.size
  }

  #add(event: AuditEvent): void {
    switch (event.kind) {
      case 'issued':
        this.#addIssue(event.issue, event.wrapping)
        break
      case 'wrapped':
        this.#wrapped.set(event.wrapping, event.holder)
        break
      case 'renewed': {
        const { lease, hash, at, grantedMs } = event.renewal
        const before = this.#renewals.get(lease)
        const last = before && before.lastAt > at ? before : { lastAt: at, grantedMs }
        this.#renewals.set(lease, { ...last, count: (before?.count ?? 0) + 1 })
        if (hash !== undefined) this.#hashes.set(lease, hash)
        break
      }
      case 'lease-revoked':
        keepFirst(this.#revoked, event.id, event.revocation)
        break
      case 'prefix-revoked': {
        const key = `${event.namespace} ${event.prefix.replace(/\/?$/, '/')}`
        this.#prefixes.set(key, [...(this.#prefixes.get(key) ?? []), event.revocation])
        break
      }
      case 'token-revoked':
        keepFirst(this.#tokens, event.token, event.revocation)
        break
      case 'token-renewed':
        this.#tokenEnds.set(
          event.accessor,
          Math.max(event.endsAt, this.#tokenEnds.get(event.accessor) ?? event.endsAt),
        )
        break
    }
  }

  #addIssue(issue: Issue, wrapping = ''): void {
    const asked = this.#wrapped.get(wrapping)
    this.#wrapped.delete(wrapping)
    const whole = asked ? { ...issue, holder: asked } : issue
    this.hidesNames ||= isHash(whole.username)
    if (this.#isWanted(whole) && this.#isNew(whole)) this.issues.push(whole)
  }

  /** A static password is read again and again: it is told once for who reads it and how long it holds. */
  #isNew({ lease, namespace, mount, role, endsAt, holder }: Issue): boolean {
    if (lease !== undefined) return true
    const key = [namespace, mount, role, holder.accessor, endsAt].join(' ')
    const isNew = !this.#static.has(key)
    this.#static.add(key)
    return isNew
  }
}

/** That it was not left to end by itself. */
export interface EndedOnPurpose extends Revocation {
  /** Whether the lease was revoked, or its token. */
  readonly with: 'lease' | 'token'
}

/** What a lease is revoked with, as Vault takes a prefix: its whole id, or whole parts of it; each with a slash at its end. */
function prefixesOf(lease: string): readonly string[] {
  const parts = lease.split('/')
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('/')}/`)
}

function keepFirst(map: Map<string, Revocation>, key: string, revocation: Revocation): void {
  const before = map.get(key)
  if (!before || revocation.at < before.at) map.set(key, revocation)
}
