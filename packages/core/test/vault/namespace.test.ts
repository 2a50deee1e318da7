import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { appRole } from '../../src/vault/auth/approle.ts'
import type { VaultOptions } from '../../src/vault/vault-options.ts'
import { rejection } from '../secrets.ts'
import { leaseOf, type Servers, startServers, vaultOf } from '../servers.ts'

describe('a namespace on a real server', () => {
  let servers: Servers
  let login: VaultOptions

  beforeAll(async () => {
    servers = await startServers()
    const { vault, database } = servers
    await vault.must('POST', 'sys/namespaces/team', {})
    const { host, port, database: name, superuser } = database
    await vault.must('POST', 'team/sys/mounts/database', { type: 'database' })
    await vault.must('POST', 'team/database/config/postgresql', {
      plugin_name: 'postgresql-database-plugin',
      connection_url: `postgresql://{{username}}:{{password}}@${host}:${port}/${name}`,
      allowed_roles: '*',
      username: superuser.user,
      password: superuser.password,
    })
    await vault.must('POST', 'team/database/roles/app', {
      db_name: 'postgresql',
      creation_statements: [
        `create role "{{name}}" login password '{{password}}' valid until '{{expiration}}'`,
      ],
      default_ttl: '60s',
      max_ttl: '10m',
    })
    const rights = '{ capabilities = ["read", "update"] }'
    const policy = ['database/creds/*', 'sys/leases/renew', 'sys/leases/revoke'].map(
      (path) => `path "${path}" ${rights}`,
    )
    await vault.must('PUT', 'team/sys/policies/acl/app', { policy: policy.join('\n') })
    await vault.must('POST', 'team/sys/auth/approle', { type: 'approle' })
    await vault.must('POST', 'team/auth/approle/role/app', { token_policies: ['app'] })
    const { body: role } = await vault.must('GET', 'team/auth/approle/role/app/role-id')
    const { body: secret } = await vault.must('PUT', 'team/auth/approle/role/app/secret-id', {})
    const auth = appRole({ roleId: role.data.role_id, secretId: secret.data.secret_id })
    login = { address: vault.address, auth }
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it.each([
    ['the option', { namespace: 'team' }, {}],
    ['VAULT_NAMESPACE', {}, { VAULT_NAMESPACE: 'team' }],
  ])('named by %s has the whole life of a lease in it', async (_name, options, env) => {
    const vault = vaultOf({ ...login, ...options }, env)
    const lease = leaseOf({ vault })
    await lease.ready()
    const first = lease.current?.username
    await lease.rotate()
    expect(lease.current?.username).not.toBe(first)
    expect(lease.status().lastError).toBeUndefined()
    await lease.close()
    await vault.close()
    expect(await servers.engine.users()).toEqual([])
  })

  it('that was forgotten is known by the login', async () => {
    await using vault = vaultOf(login)
    expect(await rejection(vault.send({ method: 'GET', path: 'database/creds/app' }))).toBeInstanceOf(Error)
  })

  it('that is locked says so: it is not sealed', async () => {
    const { vault } = servers
    const { body } = await vault.must('POST', 'sys/namespaces/api-lock/lock/team', {})
    await using locked = vaultOf({ ...login, namespace: 'team' })
    expect(await rejection(locked.send({ method: 'GET', path: 'database/creds/app' }))).toMatchObject({
      code: 'ERR_VAULT_NAMESPACE_LOCKED',
      retryable: true,
      status: 503,
      message: expect.stringContaining('have it unlocked'),
    })
    await vault.must('POST', 'sys/namespaces/api-lock/unlock/team', { unlock_key: body.data.unlock_key })
    await locked.send({ method: 'GET', path: 'database/creds/app' })
  })
})
