import { describe, expect, it } from 'vitest'
import { type BackingLease, judge, type MadeUser } from '../src/orphans/judge.ts'
import { type Kind, namesLike, namesOfVault } from '../src/orphans/names.ts'

const second = 1_000
const now = 1_800_000_000 * second
const requestMs = 90 * second

const user = (username: string, madeAt: number | undefined, role = 'app', validUntil?: number): MadeUser => ({
  username,
  madeAt,
  validUntil,
  mayBeOf: (other) => other === role,
})
const lease = (issuedAt: number, more: Partial<BackingLease> = {}): BackingLease => ({
  role: 'app',
  issuedAt,
  expiresAt: issuedAt + 3_600 * second,
  movesValidUntil: false,
  ...more,
})

describe('who is an orphan', () => {
  const t = now - 86_400 * second
  it.each<{ what: string; users: MadeUser[]; leases: BackingLease[]; is: string }>([
    { what: 'no lease at all', users: [user('u', t)], leases: [], is: 'orphans: u' },
    { what: 'a lease of the same second', users: [user('u', t)], leases: [lease(t + 300)], is: 'leased: u' },
    {
      what: 'a lease that came when the database had blocked',
      users: [user('u', t)],
      leases: [lease(t + 89 * second)],
      is: 'leased: u',
    },
    { what: 'a lease of later', users: [user('u', t)], leases: [lease(t + 101 * second)], is: 'orphans: u' },
    { what: 'a lease of before', users: [user('u', t)], leases: [lease(t - 11 * second)], is: 'orphans: u' },
    {
      what: 'a lease of another role',
      users: [user('u', t)],
      leases: [lease(t, { role: 'other' })],
      is: 'orphans: u',
    },
    {
      what: 'one lease for two users',
      users: [user('u', t), user('v', t + second)],
      leases: [lease(t + second)],
      is: 'undecided: u v',
    },
    {
      what: 'two leases for two users',
      users: [user('u', t), user('v', t)],
      leases: [lease(t), lease(t)],
      is: 'leased: u v',
    },
    {
      what: 'leases that are connected by a third user',
      users: [user('u', t), user('v', t + 60 * second), user('w', t + 120 * second)],
      leases: [lease(t + 80 * second), lease(t + 140 * second)],
      is: 'undecided: u v w',
    },
    {
      what: 'one with a lease beside one of another time',
      users: [user('u', t), user('v', t + 600 * second)],
      leases: [lease(t + 600 * second)],
      is: 'leased: v, orphans: u',
    },
    { what: 'made just now', users: [user('u', now - 99 * second)], leases: [], is: 'undecided: u' },
    { what: 'made a little earlier', users: [user('u', now - 101 * second)], leases: [], is: 'orphans: u' },
    { what: 'no time, and no lease', users: [user('u', undefined)], leases: [], is: 'undecided: u' },
    {
      what: 'no time, and some lease of the role',
      users: [user('u', undefined)],
      leases: [lease(t)],
      is: 'leased: u',
    },
    {
      what: 'an end that is long before that of the renewed lease beside it',
      users: [user('u', t, 'app', t + 3_600 * second), user('v', t, 'app', t + 9_000 * second)],
      leases: [lease(t, { expiresAt: t + 9_000 * second, movesValidUntil: true })],
      is: 'leased: v, orphans: u',
    },
    {
      what: 'the same, where renewals do not tell the database',
      users: [user('u', t, 'app', t + 3_600 * second), user('v', t, 'app', t + 9_000 * second)],
      leases: [lease(t, { expiresAt: t + 9_000 * second })],
      is: 'undecided: u v',
    },
  ])('$what: $is', ({ users, leases, is }) => {
    const { orphans, leased, undecided } = judge(users, leases, { lookedAt: now, requestMs })
    const parts = { leased, orphans, undecided: undecided.map(({ user }) => user) }
    const texts = Object.entries(parts).flatMap(([name, of]) =>
      of.length > 0 ? [`${name}: ${of.map(({ username }) => username).join(' ')}`] : [],
    )
    expect(texts.join(', ')).toBe(is)
  })
})

describe('names that Vault makes', () => {
  const random = 'Rav2GoonzQ1KKQR4CyVb'
  const seconds = 1_795_933_048
  it.each<{ kind: Kind; username: string; roles: string[]; not: string[]; madeAt?: number }>([
    {
      kind: 'postgresql',
      username: `v-token-app-${random}-${seconds}`,
      roles: ['app'],
      not: ['ap', 'apps'],
      madeAt: seconds,
    },
    {
      kind: 'postgresql',
      username: `v-kubernet-reporting-${random}-${seconds}`.replace('reporting', 'reportin'),
      roles: ['reporting', 'reportin'],
      not: ['report'],
      madeAt: seconds,
    },
    {
      kind: 'postgresql',
      username: `v--read-only-${random}-${seconds}`.replace('read-only', 'read-onl'),
      roles: ['read-only', 'read-onl'],
      not: ['read'],
      madeAt: seconds,
    },
    {
      kind: 'mysql',
      username: `v-root-app-${random}-`.slice(0, 32),
      roles: ['app'],
      not: ['root-app-x', 'other'],
    },
    {
      kind: 'mysql',
      username: 'v-kubernetes-reportings-AbCdEfGh',
      roles: ['reportings', 'reportings-2'],
      not: ['report'],
    },
    {
      kind: 'mongodb',
      username: `v-approle-my-role-${random}-${seconds}`,
      roles: ['my.role', 'my-role'],
      not: ['my'],
      madeAt: seconds,
    },
  ])('$kind $username', ({ kind, username, roles, not, madeAt }) => {
    const name = namesOfVault(kind)(username)
    expect(name?.madeAt).toBe(madeAt === undefined ? undefined : madeAt * 1_000)
    for (const role of roles) expect({ role, is: name?.mayBeOf(role) }).toEqual({ role, is: true })
    for (const role of not) expect({ role, is: name?.mayBeOf(role) }).toEqual({ role, is: false })
  })

  it.each([
    ['postgresql', 'v-alice'],
    ['postgresql', `v-token-app-${random}-17959330`],
    ['postgresql', `x-token-app-${random}-${seconds}`],
    ['postgresql', `v-token-app-${random}-${seconds}-kept`],
    ['mysql', 'v-root-app-of-mine'],
    ['mysql', 'v-app-user-admin'],
    ['mongodb', 'v-admin-2'],
  ] as const)('not of Vault: %s %s', (kind, username) => {
    expect(namesOfVault(kind)(username)).toBeUndefined()
  })

  it('are told by a pattern, which is that of the whole name', () => {
    const read = namesLike('app_(?<role>[a-z]+)_(?<time>\\d{10})')
    expect(read(`my_app_reports_${seconds}`)).toBeUndefined()
    const name = read(`app_reports_${seconds}`)
    expect(name?.madeAt).toBe(seconds * 1_000)
    expect(['reports', 'reports-2', 'rep', 'other'].map((role) => name?.mayBeOf(role))).toEqual([
      true,
      true,
      true,
      false,
    ])
    expect(() => namesLike('(')).toThrow('--pattern')
  })
})
