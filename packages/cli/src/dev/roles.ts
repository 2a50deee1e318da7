import type { DatabaseEngine } from '@vault-lease/testing'
import type { Kind } from '../orphans/names.ts'
import type { LocalServers } from './servers.ts'

/** Statements of a user that only reads. */
const readOnly: Readonly<Record<Kind, (database: string) => readonly string[]>> = {
  postgresql: () => [
    `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
    'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{{name}}"',
  ],
  mysql: (database) => [
    `CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'`,
    `GRANT SELECT ON \`${database}\`.* TO '{{name}}'@'%'`,
  ],
  mongodb: (database) => [JSON.stringify({ db: 'admin', roles: [{ role: 'read', db: database }] })],
}

/** How long users live; in milliseconds. */
export interface Lives {
  readonly ttl: number
  readonly maxTtl: number
}

/** The first one is that of the application. */
export const roleNames = ['app', 'readonly'] as const

export async function makeRoles({ engine, database }: LocalServers, { ttl, maxTtl }: Lives): Promise<void> {
  const lives = { ttl: `${ttl / 1_000}s`, maxTtl: `${maxTtl / 1_000}s` }
  const [app, reader] = roleNames
  await engine.role(app, lives)
  const creationStatements = readOnly[database.kind](database.database)
  await engine.role(reader, { ...lives, creationStatements })
}

/** Ends every lease, so that its user is gone. */
export async function revokeAll(engine: DatabaseEngine): Promise<void> {
  await Promise.all(roleNames.map((role) => engine.revokePrefix(role)))
}
