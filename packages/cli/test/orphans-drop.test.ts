import { describe, expect, it } from 'vitest'
import { dropOrphans } from '../src/orphans/drop.ts'
import { findOrphans, type Search } from '../src/orphans/find.ts'
import { namesOfVault } from '../src/orphans/names.ts'

const seconds = 1_600_000_000
const names = ['a', 'b', 'c'].map((letter) => `v-token-app-${letter.repeat(20)}-${seconds}`)
const issuedAt = seconds * 1_000
const lease = {
  mount: 'database',
  role: 'app',
  id: 'database/creds/app/x',
  issuedAt,
  expiresAt: Date.now() + 60_000,
  clockAheadMs: 0,
  movesValidUntil: false,
}

/** A database and a Vault that answer what no real one does so late. */
class Late {
  dropped: string[] = []
  leases: (typeof lease)[] = []
  owns: readonly string[] = []
  clockAheadMs = 0
  readonly refused: string | undefined
  readonly search: Search

  constructor(refused?: string) {
    this.refused = refused
    const users = names.map((username) => ({ username, madeAt: undefined, validUntil: undefined }))
    this.search = {
      users: {
        list: async () => users.filter(({ username }) => !this.dropped.includes(username)),
        now: async () => Date.now() + this.clockAheadMs,
        sessions: async () => [],
        belongingsOf: async (username) =>
          this.dropped.includes(username) ? undefined : { sessions: 0, owns: this.owns },
        drop: async (username) => {
          if (username === this.refused) throw new Error('the database says no')
          this.dropped.push(username)
        },
        async [Symbol.asyncDispose]() {},
      },
      engines: { leases: async () => this.leases, staticUsers: async () => new Set() },
      readName: namesOfVault('postgresql'),
      requestMs: 90_000,
    }
  }
}

describe('dropping orphans', () => {
  it('goes on after one that cannot be dropped', async () => {
    const late = new Late(names[1])
    const { orphans } = await findOrphans(late.search)
    const kept: (string | undefined)[] = []
    for await (const drop of dropOrphans(late.search, orphans, undefined)) kept.push(drop.kept)
    expect(kept).toEqual([undefined, 'the database says no', undefined])
    expect(late.dropped).toEqual([names[0], names[2]])
  })

  it('looks at the leases right before, for each', async () => {
    const late = new Late()
    const { orphans } = await findOrphans(late.search)
    const kept: (string | undefined)[] = []
    for await (const drop of dropOrphans(late.search, orphans, undefined)) {
      kept.push(drop.kept)
      late.leases = [lease]
    }
    expect(kept).toEqual([undefined, 'a lease has come for it', 'a lease has come for it'])
    expect(late.dropped).toEqual([names[0]])
  })

  it('leaves out who is gone meanwhile', async () => {
    const late = new Late()
    const { users } = late.search
    const list = async () => {
      const all = await users.list()
      late.dropped.push(names[0] ?? '')
      return all
    }
    const { orphans } = await findOrphans({ ...late.search, users: { ...users, list } })
    expect(orphans.map(({ username }) => username)).toEqual(names.slice(1))
  })

  it.each(['the database', 'Vault'])('does not believe a clock that is wrong: that of %s', async (whose) => {
    const late = new Late()
    if (whose === 'Vault') late.leases = [{ ...lease, clockAheadMs: -6_000 }]
    else late.clockAheadMs = 6_000
    await expect(findOrphans(late.search)).rejects.toThrow(`The clock of ${whose}`)
  })
})
