import { type DatabaseServer, startMariaDb, startMongo, startPostgres } from '@vault-lease/testing'
import { describe, expect, it } from 'vitest'
import { accessAt } from '../src/database/admin-url.ts'
import { openUsers } from '../src/orphans/open-users.ts'

const starts = { postgresql: startPostgres, mysql: startMariaDb, mongodb: startMongo }

const adminUrl = ({ kind, superuser, host, port, database }: DatabaseServer): string =>
  `${kind}://${superuser.user}:${superuser.password}@${host}:${port}/${database}`

describe.each(['postgresql', 'mysql', 'mongodb'] as const)('the sessions of a %s', (kind) => {
  it('are told: whose they are, and where they come from', async () => {
    await using server = await starts[kind]()
    await using users = await openUsers(accessAt(adminUrl(server)))
    const before = await users.sessions()
    const other = await server.connect()
    const after = await users.sessions()
    await other.end()
    expect(after.length).toBeGreaterThan(before.length)
    expect(after).toContainEqual({
      username: server.superuser.user,
      from: expect.stringMatching(/127\.0\.0\.1|localhost/),
      since: kind === 'postgresql' ? expect.any(Number) : undefined,
    })
  })
})
