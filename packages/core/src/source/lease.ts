/** The facts of one lease. All times are milliseconds on the manager's clock. */
export interface Lease {
  readonly id: string
  /** When the request that created it was sent: Vault cannot have started to count earlier. */
  readonly issuedAt: number
  /** When the request of the last grant (creation or renewal) was sent. */
  readonly grantedAt: number
  /** The duration of the first grant, which every renewal asks for again. */
  readonly durationMs: number
  readonly end: number
  /** Whether a renewal can still move the end. */
  readonly extendable: boolean
  /** Whether the last renewal was granted shorter than asked: max TTL has come in sight. */
  readonly truncated: boolean
  /** When the source is to be asked whether the credential is still the one to use, where only it can know. */
  readonly lookAt?: number | undefined
  /** Whether it is ours to end: nobody else lives by it. */
  readonly revocable: boolean
  /** Whether the credential lives on when the token dies that it was read with. */
  readonly outlivesToken?: boolean
}

/** What Vault grants when it creates or renews a lease. */
export interface Grant {
  readonly sentAt: number
  readonly durationMs: number
  readonly renewable: boolean
}

export function issuedLease(id: string, grant: Grant): Lease {
  return {
    id,
    issuedAt: grant.sentAt,
    grantedAt: grant.sentAt,
    durationMs: grant.durationMs,
    end: grant.sentAt + grant.durationMs,
    extendable: grant.renewable,
    truncated: false,
    revocable: true,
  }
}

/** The life of a credential that has no lease of its own: it may have an end, and nothing can extend it. */
export function endlessLease({
  readAt,
  end = Number.POSITIVE_INFINITY,
  lookAt,
}: {
  readonly readAt: number
  readonly end?: number
  readonly lookAt?: number
}): Lease {
  return {
    id: '',
    issuedAt: readAt,
    grantedAt: readAt,
    durationMs: end - readAt,
    end,
    extendable: false,
    truncated: false,
    revocable: false,
    lookAt,
    outlivesToken: true,
  }
}

/** The lease after a renewal. A grant shorter than asked means that max TTL cut it: no renewal will move the end again. */
export function renewedLease(lease: Lease, grant: Grant): Lease {
  const truncated = grant.durationMs < lease.durationMs
  return {
    ...lease,
    grantedAt: grant.sentAt,
    end: grant.sentAt + grant.durationMs,
    extendable: grant.renewable && !truncated,
    truncated,
  }
}

/** The lease once Vault has refused to renew it for good: it lives to its known end. */
export function finalLease(lease: Lease): Lease {
  return { ...lease, extendable: false, truncated: true }
}
