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
}
