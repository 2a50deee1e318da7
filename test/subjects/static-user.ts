import type { DatabaseServer } from '@vault-lease/testing'

/** A login that does not change by itself. */
export interface StaticLogin {
  readonly user: string
  readonly password: string
}

/** What creates a user with the rights that one from Vault has. */
export function staticUser(kind: DatabaseServer['kind'], login: StaticLogin): readonly string[] {
  return statements[kind](login)
}

const statements: Readonly<Record<DatabaseServer['kind'], (login: StaticLogin) => readonly string[]>> = {
  postgresql: ({ user, password }) => [
    `create role ${user} login password '${password}'`,
    `grant select, insert, update, delete on all tables in schema public to ${user}`,
    `grant usage, select on all sequences in schema public to ${user}`,
  ],
  mysql: ({ user, password }) => [
    `create user '${user}'@'%' identified by '${password}'`,
    `grant select, insert, update, delete on app.* to '${user}'@'%'`,
  ],
  mongodb: ({ user, password }) => [
    JSON.stringify({
      createUser: user,
      pwd: password,
      roles: [{ role: 'readWrite', db: 'app' }],
      $db: 'admin',
    }),
  ],
  redis: ({ user, password }) => [
    JSON.stringify([
      'ACL',
      'SETUSER',
      user,
      'on',
      `>${password}`,
      '~*',
      '&*',
      '+@all',
      '-@dangerous',
      '+info',
    ]),
  ],
}

/** What gives a user another password. */
export function newPassword(kind: DatabaseServer['kind'], { user, password }: StaticLogin): string {
  if (kind === 'postgresql') return `alter role ${user} password '${password}'`
  if (kind === 'redis') return JSON.stringify(['ACL', 'SETUSER', user, 'resetpass', `>${password}`])
  if (kind === 'mysql') return `alter user '${user}'@'%' identified by '${password}'`
  return JSON.stringify({ updateUser: user, pwd: password, $db: 'admin' })
}

/** What the server calls each session that a user has open. */
export async function sessionsOf(
  { kind, query }: Pick<DatabaseServer, 'kind' | 'query'>,
  user: string,
): Promise<string[]> {
  if (kind === 'mongodb') {
    const [reply] = await query<Operations>('{"currentOp":1,"$all":true,"$db":"admin"}')
    const ofUser = reply?.inprog.filter(({ effectiveUsers }) =>
      effectiveUsers?.some((each) => each.user === user),
    )
    return [...new Set(ofUser?.map(({ desc = '' }) => desc))].sort()
  }
  if (kind === 'redis') {
    const [answer] = await query<{ reply: string }>('["CLIENT","LIST"]')
    const lines = answer?.reply.split('\n').filter((line) => line.includes(` user=${user} `)) ?? []
    return lines.map((line) => line.split(' ', 1)[0] ?? '').sort()
  }
  const rows = await query<{ id: number }>(
    kind === 'postgresql'
      ? `select pid as id from pg_stat_activity where usename = '${user}'`
      : `select id from information_schema.processlist where user = '${user}'`,
  )
  return rows.map(({ id }) => String(id)).sort()
}

interface Operations {
  readonly inprog: readonly {
    readonly desc?: string
    readonly effectiveUsers?: readonly { readonly user: string }[]
  }[]
}
