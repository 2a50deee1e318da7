/** Who asked Vault, as an audit device writes it. Tokens and accessors are hashes, unless the device was told otherwise. */
export interface Holder {
  readonly displayName: string
  /** Of the token; of a batch token, which has none, the hash of the token itself. */
  readonly accessor: string
  readonly token: string
  readonly entityId: string | undefined
  /** What the login says of itself: with Kubernetes the names of the service account and its namespace. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** The address that the request came from. */
  readonly from: string | undefined
  /** When the token ends unless it is renewed; `undefined` for one that has no end. */
  readonly tokenEndsAt: number | undefined
}

/** A database user was given to somebody. All dates are in milliseconds since 1970. */
export interface Issue {
  /** `undefined` for a static role, whose users have none. */
  readonly lease: string | undefined
  /** Where it was; empty for the root namespace, else with a slash at its end. */
  readonly namespace: string
  readonly mount: string
  readonly role: string
  /** A hash, unless the device writes it raw. */
  readonly username: string
  readonly issuedAt: number
  /** When Vault changes the password, where it said so: of a static role. */
  readonly endsAt: number | undefined
  readonly holder: Holder
}

/** A lease was renewed. */
interface Renewal {
  readonly lease: string
  /** The same as a hash, where the request had it. */
  readonly hash: string | undefined
  readonly at: number
  /** For how long, where it can be told; zero when as long as the role says. */
  readonly grantedMs: number | undefined
}

/** Something was ended by somebody. */
export interface Revocation {
  readonly at: number
  readonly by: string
  /** Whether Vault was made to forget it, whatever becomes of the user. */
  readonly forced: boolean
}

/** What one line of an audit file tells of database users. */
export type AuditEvent =
  | {
      readonly kind: 'issued'
      readonly issue: Issue
      /** The wrapping token that it came out of: it has no life of its own, and says little of who asked. */
      readonly wrapping?: string
    }
  /** Somebody was given a wrapping token in place of a user. */
  | { readonly kind: 'wrapped'; readonly wrapping: string; readonly holder: Holder }
  | { readonly kind: 'renewed'; readonly renewal: Renewal }
  /** `id` is a hash, unless the device writes it raw, or the request had it in its path. */
  | { readonly kind: 'lease-revoked'; readonly id: string; readonly revocation: Revocation }
  | {
      readonly kind: 'prefix-revoked'
      readonly namespace: string
      readonly prefix: string
      readonly revocation: Revocation
    }
  /** `token` is an accessor or a token. */
  | { readonly kind: 'token-revoked'; readonly token: string; readonly revocation: Revocation }
  | { readonly kind: 'token-renewed'; readonly accessor: string; readonly endsAt: number }
