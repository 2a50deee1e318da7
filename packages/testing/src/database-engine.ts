import type { Postgres } from './postgres.ts'
import type { VaultServer } from './vault-server.ts'

/** A role of the database secrets engine. */
export interface RoleOptions {
  /** Default TTL, such as `10s`. */
  readonly ttl: string
  /** The longest that renewals can extend a lease to, such as `30s`. */
  readonly maxTtl: string
  /** Replaces the statements that create the user and grant it everything on the tables of `public`. */
  readonly creationStatements?: readonly string[]
}

/** A token of the application. */
export interface TokenOptions {
  /** Default: `1h`. */
  readonly ttl?: string
  /** Default: what an application needs to use this engine. */
  readonly policies?: readonly string[]
}

/** A database that was told to drop a user, and how many sessions of the user were open at that moment. */
export interface Drop {
  readonly username: string
  readonly openSessions: number
  /** When, in milliseconds of Date.now(). */
  readonly at: number
}

/** A database secrets engine on a test Vault, connected to a test PostgreSQL. */
export interface DatabaseEngine {
  /** Where it is mounted. */
  readonly mount: string
  /** Creates or changes a role. */
  role(name: string, options: RoleOptions): Promise<void>
  /** A token that may read credentials of every role, renew and revoke leases, and nothing else. */
  createToken(options?: TokenOptions): Promise<string>
  /** An AppRole whose tokens may do the same. */
  createAppRole(options?: TokenOptions): Promise<{ roleId: string; secretId: string; mount: string }>
  /** The dynamic users that exist in the database now. */
  users(): Promise<string[]>
  /** The ids of the leases of a role. */
  leases(role: string): Promise<string[]>
  /** What an operator does: ends every lease of the role at once. */
  revokePrefix(role: string): Promise<void>
  /** Every user that Vault has dropped, in order. */
  drops(): Promise<Drop[]>
}

const creationStatements = [
  `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'`,
  'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{{name}}"',
  'GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO "{{name}}"',
]

/** The count is taken in the transaction that drops the user: no sampling can miss it. */
const revocationStatements = [
  `INSERT INTO vault_lease_test.drops (username, open_sessions) SELECT '{{name}}', count(*) FROM pg_stat_activity WHERE usename = '{{name}}'`,
  'REVOKE ALL PRIVILEGES ON ALL TABLES IN SCHEMA public FROM "{{name}}"',
  'REVOKE ALL PRIVILEGES ON ALL SEQUENCES IN SCHEMA public FROM "{{name}}"',
  'DROP ROLE IF EXISTS "{{name}}"',
]

/**
 * Mounts the database secrets engine (default: at `database`) and connects it to the server.
 *
 * @example
 * const engine = await databaseEngine(vault, postgres)
 * await engine.role('app', { ttl: '10s', maxTtl: '30s' })
 */
export async function databaseEngine(
  vault: VaultServer,
  postgres: Postgres,
  { mount = 'database' }: { readonly mount?: string } = {},
): Promise<DatabaseEngine> {
  const { user, password } = postgres.superuser
  await postgres.query(
    'create schema if not exists vault_lease_test; create table if not exists vault_lease_test.drops (username text, open_sessions int, at timestamptz default clock_timestamp(), id serial)',
  )
  await vault.must('POST', `sys/mounts/${mount}`, { type: 'database' })
  await vault.must('POST', `${mount}/config/postgres`, {
    plugin_name: 'postgresql-database-plugin',
    connection_url: `postgresql://{{username}}:{{password}}@${postgres.host}:${postgres.port}/${postgres.database}?sslmode=disable&connect_timeout=3`,
    allowed_roles: '*',
    username: user,
    password,
  })
  const policy = `vault-lease-${mount.replaceAll('/', '-')}`
  await vault.must('PUT', `sys/policies/acl/${policy}`, {
    policy: `path "${mount}/creds/*" { capabilities = ["read"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }`,
  })
  return {
    mount,
    async role(name, { ttl, maxTtl, creationStatements: creation = creationStatements }) {
      await vault.must('POST', `${mount}/roles/${name}`, {
        db_name: 'postgres',
        creation_statements: creation,
        revocation_statements: revocationStatements,
        default_ttl: ttl,
        max_ttl: maxTtl,
      })
    },
    async createToken({ ttl = '1h', policies = [policy] } = {}) {
      const { body } = await vault.must('POST', 'auth/token/create', { policies, ttl })
      return body.auth.client_token
    },
    async createAppRole({ ttl = '1h', policies = [policy] } = {}) {
      const path = `approle-${policy}`
      await vault.call('POST', `sys/auth/${path}`, { type: 'approle' })
      await vault.must('POST', `auth/${path}/role/app`, { token_policies: policies, token_ttl: ttl })
      const roleId = await vault.must('GET', `auth/${path}/role/app/role-id`)
      const secretId = await vault.must('PUT', `auth/${path}/role/app/secret-id`, {})
      return { roleId: roleId.body.data.role_id, secretId: secretId.body.data.secret_id, mount: path }
    },
    async users() {
      const rows = await postgres.query<{ name: string }>(
        `select rolname as name from pg_roles where rolname like 'v-%' order by 1`,
      )
      return rows.map(({ name }) => name)
    },
    async leases(role) {
      const { body } = await vault.call('LIST', `sys/leases/lookup/${mount}/creds/${role}`)
      return body.data?.keys ?? []
    },
    async revokePrefix(role) {
      await vault.must('PUT', `sys/leases/revoke-prefix/${mount}/creds/${role}`, { sync: true })
    },
    async drops() {
      return await postgres.query<{ username: string; openSessions: number; at: number }>(
        'select username, open_sessions as "openSessions", (extract(epoch from at) * 1000)::float8 as at from vault_lease_test.drops order by id',
      )
    },
  }
}
