import type { Database } from './database/database.ts'
import type { Login } from './database/kind.ts'

/** What a program finds in its environment. */
export function variablesFor(login: Login, database: Database | undefined): Readonly<Record<string, string>> {
  const { username, password } = login
  return {
    DB_USERNAME: username,
    DB_PASSWORD: password,
    ...(database?.variablesFor(login) ?? withoutAddress(login)),
  }
}

/** Each program reads its own. */
function withoutAddress({ username, password }: Login): Readonly<Record<string, string>> {
  return { PGUSER: username, PGPASSWORD: password, MYSQL_USER: username, MYSQL_PWD: password }
}
