import type { Connection } from './database-server.ts'
import { dialectOf } from './dialect/dialects.ts'
import type { Drop } from './drops.ts'
import type { VaultApi } from './vault-api.ts'

/** A role of the database secrets engine. */
export interface RoleOptions {
  /** Default TTL, such as `10s`. */
  readonly ttl: string
  /** The longest that renewals can extend a lease to, such as `30s`. */
  readonly maxTtl: string
  /** Replaces the statements that create the user and grant it everything on the tables of the database. */
  readonly creationStatements?: readonly string[]
}

/** A static role of the database secrets engine: a user that exists, whose password Vault changes. */
export interface StaticRoleOptions {
  readonly username: string
  /** At least `5s`. */
  readonly rotationPeriod: string
}

/** A token of the application. */
export interface TokenOptions {
  /** Default: `1h`. */
  readonly ttl?: string
  /** Default: what an application needs to use this engine. */
  readonly policies?: readonly string[]
}

/** A database secrets engine on a test Vault, connected to a test database server. */
export interface DatabaseEngine {
  /** Where it is mounted. */
  readonly mount: string
  /** Creates or changes a role. */
  role(name: string, options: RoleOptions): Promise<void>
  /** Creates or changes a static role. Vault changes the password of its user at once. */
  staticRole(name: string, options: StaticRoleOptions): Promise<void>
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
  /** Ends what counts the drops. What is mounted stays. */
  close(): Promise<void>
}

/**
 * Mounts the database secrets engine (default: at `database`) and connects it to the server.
 *
 * @example
 * const engine = await databaseEngine(vault, postgres)
 * await engine.role('app', { ttl: '10s', maxTtl: '30s' })
 */
export async function databaseEngine(
  vault: VaultApi,
  server: Connection,
  { mount = 'database' }: { readonly mount?: string } = {},
): Promise<DatabaseEngine> {
  const dialect = dialectOf(server)
  const { user: username, password } = server.superuser
  await dialect.provide?.(vault)
  const counter = await dialect.countDrops(server)
  await vault.must('POST', `sys/mounts/${mount}`, { type: 'database' })
  await vault.must('POST', `${mount}/config/${server.kind}`, {
    plugin_name: dialect.plugin,
    ...counter.config,
    allowed_roles: '*',
    username,
    password,
  })
  const policy = `vault-lease-${mount.replaceAll('/', '-')}`
  await vault.must('PUT', `sys/policies/acl/${policy}`, {
    policy: `path "${mount}/creds/*" { capabilities = ["read"] }
path "${mount}/static-creds/*" { capabilities = ["read"] }
path "sys/leases/revoke" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }`,
  })
  let last: Promise<unknown> = Promise.resolve()
  /** One after the other: the storage of a server refuses one of two that write at once. */
  const inTurn = <Result>(write: () => Promise<Result>): Promise<Result> => {
    const written = last.then(write, write)
    last = written
    return written
  }
  return {
    mount,
    role: (name, { ttl, maxTtl, creationStatements = dialect.creationStatements(server.database) }) =>
      inTurn(async () => {
        await vault.must('POST', `${mount}/roles/${name}`, {
          db_name: server.kind,
          creation_statements: creationStatements,
          revocation_statements: dialect.revocationStatements,
          default_ttl: ttl,
          max_ttl: maxTtl,
        })
      }),
    staticRole: (name, { username, rotationPeriod }) =>
      inTurn(async () => {
        await vault.must('POST', `${mount}/static-roles/${name}`, {
          db_name: server.kind,
          username,
          rotation_period: rotationPeriod,
        })
      }),
    createToken: ({ ttl = '1h', policies = [policy] } = {}) =>
      inTurn(async () => {
        const { body } = await vault.must('POST', 'auth/token/create', { policies, ttl })
        return body.auth.client_token
      }),
    createAppRole: ({ ttl = '1h', policies = [policy] } = {}) =>
      inTurn(async () => {
        const path = `approle-${policy}`
        await vault.call('POST', `sys/auth/${path}`, { type: 'approle' })
        await vault.must('POST', `auth/${path}/role/app`, { token_policies: policies, token_ttl: ttl })
        const roleId = await vault.must('GET', `auth/${path}/role/app/role-id`)
        const secretId = await vault.must('PUT', `auth/${path}/role/app/secret-id`, {})
        return { roleId: roleId.body.data.role_id, secretId: secretId.body.data.secret_id, mount: path }
      }),
    users: () => dialect.users(server),
    async leases(role) {
      const { body } = await vault.call('LIST', `sys/leases/lookup/${mount}/creds/${role}`)
      return body.data?.keys ?? []
    },
    async revokePrefix(role) {
      await vault.must('PUT', `sys/leases/revoke-prefix/${mount}/creds/${role}`, { sync: true })
    },
    drops: counter.drops,
    close: counter.close,
  }
}
