import { setTimeout as sleep } from 'node:timers/promises'
import { token } from '@vault-lease/core'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { VaultPool } from '../src/pool.ts'
import { type Servers, startServers } from './servers.ts'

const user = 'steady'

describe('a pool on a static role', () => {
  let servers: Servers
  let clientToken: string

  beforeAll(async () => {
    servers = await startServers()
    const { engine, database } = servers
    await database.query(`create role ${user} login password 'first'`)
    await engine.staticRole('steady', { username: user, rotationPeriod: '5s' })
    clientToken = await engine.createToken()
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())
  afterEach(() => servers.endAll())

  function pool(staticRole: string): VaultPool {
    const vault = { address: servers.vault.address, auth: token(clientToken) }
    const made = new VaultPool({
      ...servers.place,
      vault,
      staticRole,
      max: 3,
      connectionTimeoutMillis: 5_000,
    })
    return servers.closing(made, () => made.end())
  }

  it('fails no query when Vault changes the password, asks a few times only, and leaves the user', async () => {
    const steady = pool('steady')
    const told: string[] = []
    const { lease } = steady
    lease.on('rotated', ({ reason }) => void told.push(reason))
    lease.on('revoked', () => void told.push('revoked'))
    const passwords = new Set<string>()
    let queries = 0
    // Vault looks every 5 s for passwords that are due, so that one may live for 10 s.
    for (; passwords.size < 3; await sleep(5)) {
      const client = await steady.connect()
      const { rows } = await client.query('select session_user as name')
      expect(rows).toEqual([{ name: user }])
      // Each query on a connection of its own: so every moment around a boundary meets the password of that moment.
      client.release(true)
      passwords.add(lease.current?.password ?? '')
      queries++
    }
    expect(queries).toBeGreaterThan(100)
    expect(told.slice(1).filter((reason) => reason !== 'changed' && reason !== 'refused')).toEqual([])
    expect(told.length).toBeLessThanOrEqual(passwords.size + 2)
    await steady.end()
    expect(await servers.database.query('select 1 from pg_roles where rolname = $1', [user])).toHaveLength(1)
  })

  it('names what it reads when there is no such role', async () => {
    await expect(pool('nobody').query('select 1')).rejects.toThrow('database/static-creds/nobody')
  })
})
