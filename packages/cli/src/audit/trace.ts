import type { RoleAt } from '../leases/leases.ts'
import type { UserSession, Users } from '../orphans/users.ts'
import type { AuditedVault } from './ask-vault.ts'
import { type End, endOf, type Known, type Ttls } from './end.ts'
import type { Issue } from './event.ts'
import { isHash } from './hash.ts'
import type { Ledger } from './ledger.ts'

/** Who had which database user until when. */
export interface Trace {
  readonly issue: Issue
  /** The name of the user; `undefined` when there is only its hash. */
  readonly username: string | undefined
  readonly end: End
  readonly renewals: number
  /** That are open now; `undefined` when there was no database to ask, or the name is not known. */
  readonly sessions: readonly UserSession[] | undefined
}

/** What can be asked beside the file. */
export interface Witnesses {
  readonly vault: AuditedVault | undefined
  readonly users: Pick<Users, 'list' | 'sessions'> | undefined
  /** A name that was given. */
  readonly username: string | undefined
}

/** Puts together what the file, Vault and the database know, the oldest first. */
export async function trace(ledger: Ledger, witnesses: Witnesses): Promise<readonly Trace[]> {
  const sessions = await witnesses.users?.sessions()
  const names = await namesByHash(ledger, witnesses, sessions ?? [])
  const ends = await endsOf(ledger, witnesses.vault)
  const traces = ledger.issues.map((issue) => {
    const username = isHash(issue.username) ? names.get(issue.username) : issue.username
    return {
      issue,
      username,
      end: ends.get(issue) ?? { how: 'unknown', at: undefined },
      renewals: ledger.renewalsOf(issue)?.count ?? 0,
      sessions:
        username === undefined ? undefined : sessions?.filter((session) => session.username === username),
    } satisfies Trace
  })
  return traces.toSorted((a, b) => a.issue.issuedAt - b.issue.issuedAt)
}

/** A hash cannot be undone: but the names that there are can be hashed, and found. */
async function namesByHash(
  ledger: Ledger,
  { vault, users, username }: Witnesses,
  sessions: readonly UserSession[],
): Promise<ReadonlyMap<string, string>> {
  if (!vault || !ledger.issues.some((issue) => isHash(issue.username))) return new Map()
  const there = (await users?.list()) ?? []
  const names = new Set([...there, ...sessions].map((user) => user.username))
  if (username !== undefined) names.add(username)
  const hashed = await vault.hashed([...names])
  return new Map(hashed.map(([name, hash]) => [hash, name]))
}

async function endsOf(ledger: Ledger, vault: AuditedVault | undefined): Promise<ReadonlyMap<Issue, End>> {
  const now = Date.now()
  const hashes = await hashesOfLeases(ledger, vault)
  const ttls = await ttlsByRole(ledger, vault)
  const known = new Map<Issue, Known>()
  for (const issue of ledger.issues) {
    known.set(issue, {
      issue,
      renewals: ledger.renewalsOf(issue),
      revocation: ledger.revocationOf(issue, hashes.get(issue.lease ?? '')),
      tokenEndsAt: ledger.tokenEndOf(issue.holder),
      ttls: ttls.get(roleKey(issue)),
      inVault: undefined,
    })
  }
  const mayLive = [...known.values()].filter((one) => {
    const { how, at = now } = endOf(one, now)
    return one.issue.lease !== undefined && how !== 'revoked' && at >= now
  })
  const inVault = await lookUpAll(mayLive, vault)
  return new Map(
    Array.from(known, ([issue, one]) => [
      issue,
      endOf({ ...one, inVault: inVault.get(issue.lease ?? '') }, now),
    ]),
  )
}

/** Of those leases for which a revocation may be hidden behind a hash. */
async function hashesOfLeases(
  ledger: Ledger,
  vault: AuditedVault | undefined,
): Promise<ReadonlyMap<string, string>> {
  if (!ledger.hasHashedRevocations) return new Map()
  const open = ledger.issues.flatMap((issue) =>
    issue.lease === undefined || ledger.revocationOf(issue) || ledger.hashOf(issue.lease) !== undefined
      ? []
      : [issue.lease],
  )
  return new Map((await vault?.hashed(open)) ?? [])
}

async function ttlsByRole(
  ledger: Ledger,
  vault: AuditedVault | undefined,
): Promise<ReadonlyMap<string, Ttls>> {
  const found = new Map<string, Ttls>()
  for (const [key, issue] of new Map(ledger.issues.map((issue) => [roleKey(issue), issue]))) {
    const ttls = issue.lease === undefined ? undefined : await vault?.ttlsOf(issue)
    if (ttls) found.set(key, ttls)
  }
  return found
}

async function lookUpAll(
  leases: readonly Known[],
  vault: AuditedVault | undefined,
): Promise<ReadonlyMap<string, number | 'gone'>> {
  const found = new Map<string, number | 'gone'>()
  const roles = new Map<string, { at: RoleAt; ids: string[] }>()
  for (const { issue } of leases) {
    const role = roles.get(roleKey(issue)) ?? { at: issue, ids: [] }
    roles.set(roleKey(issue), role)
    if (issue.lease !== undefined) role.ids.push(issue.lease)
  }
  for (const { at, ids } of roles.values()) {
    const ends = await vault?.endsOf(at, ids)
    if (ends) for (const id of ids) found.set(id, ends.get(id) ?? 'gone')
  }
  return found
}

function roleKey({ namespace, mount, role }: Issue): string {
  return `${namespace}${mount}/${role}`
}
