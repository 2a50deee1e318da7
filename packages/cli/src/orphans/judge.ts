import type { Lease } from '../leases/leases.ts'
import type { Name } from './names.ts'

/** A user that Vault has made, as far as its name and the database tell. */
export interface MadeUser extends Name {
  readonly username: string
  /** Until when the database lets it in, in milliseconds since 1970; `undefined` when it does not say. */
  readonly validUntil: number | undefined
}

/** A lease that may back a user. */
export interface BackingLease extends Pick<Lease, 'role' | 'issuedAt' | 'expiresAt'> {
  /** Whether its role has the database let the user in for exactly as long as the lease lives, also after a renewal. */
  readonly movesValidUntil: boolean
}

export interface Verdict<User extends MadeUser> {
  /** No lease can be theirs. */
  readonly orphans: readonly User[]
  readonly leased: readonly User[]
  readonly undecided: readonly { readonly user: User; readonly why: string }[]
}

/** Clocks differ, and names have whole seconds. */
const slackMs = 10_000

/**
 * Tells apart users that have a lease and users that have none. Vault does not say which user a lease is for: but it issues the
 * lease when the user has been made, after as long as a request may take at most. A user for whom there is such a lease, even one
 * that is another's, is not called an orphan; nor is one whose lease may be on its way.
 */
export function judge<User extends MadeUser>(
  users: readonly User[],
  leases: readonly BackingLease[],
  { lookedAt, requestMs }: { readonly lookedAt: number; readonly requestMs: number },
): Verdict<User> {
  const mayBack = (lease: BackingLease, user: User): boolean =>
    user.mayBeOf(lease.role) &&
    (user.madeAt === undefined ||
      (lease.issuedAt >= user.madeAt - slackMs && lease.issuedAt <= user.madeAt + requestMs + slackMs)) &&
    !(
      lease.movesValidUntil &&
      user.validUntil !== undefined &&
      user.validUntil + requestMs + slackMs < lease.expiresAt
    )
  const verdict: { orphans: User[]; leased: User[]; undecided: { user: User; why: string }[] } = {
    orphans: [],
    leased: [],
    undecided: [],
  }
  for (const { users: group, leases: theirs } of groups(users, leases, mayBack)) {
    if (theirs.length >= group.length) verdict.leased.push(...group)
    else if (theirs.length > 0) {
      const counts = `${theirs.length} of ${group.length} users that were made within the same time`
      const why = `Vault has leases for ${counts}: look again when these leases have ended`
      verdict.undecided.push(...group.map((user) => ({ user, why })))
    } else
      for (const user of group) {
        const why = whyTooEarly(user, lookedAt - requestMs - slackMs)
        if (why === undefined) verdict.orphans.push(user)
        else verdict.undecided.push({ user, why })
      }
  }
  return verdict
}

function whyTooEarly({ madeAt }: MadeUser, settledBefore: number): string | undefined {
  if (madeAt === undefined) return 'nothing tells when it was made, so that its lease may be on its way'
  return madeAt < settledBefore
    ? undefined
    : 'it was made just now, and its lease may be on its way: look again in two minutes'
}

interface Group<User> {
  readonly users: User[]
  readonly leases: BackingLease[]
}

/** Users and leases that are connected, over others too, by which lease may back which user. Each has a user. */
function* groups<User>(
  users: readonly User[],
  leases: readonly BackingLease[],
  mayBack: (lease: BackingLease, user: User) => boolean,
): Generator<Group<User>> {
  const otherUsers = new Set(users)
  const otherLeases = new Set(leases)
  for (const first of otherUsers) {
    otherUsers.delete(first)
    const group: Group<User> = { users: [first], leases: [] }
    // It grows while it is gone through.
    for (const user of group.users) {
      for (const lease of otherLeases) {
        if (!mayBack(lease, user)) continue
        otherLeases.delete(lease)
        group.leases.push(lease)
        for (const other of otherUsers) {
          if (!mayBack(lease, other)) continue
          otherUsers.delete(other)
          group.users.push(other)
        }
      }
    }
    yield group
  }
}
