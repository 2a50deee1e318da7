import { type Servers, startServers, watchSessions } from '@vault-lease/testing'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'

describe('Redis and the database engine on it', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers({ kind: 'redis', schema: ['["SET","one","1"]'] })
    await servers.engine.role('app', { ttl: '1m', maxTtl: '5m' })
  })
  afterAll(() => servers?.stop())

  /** A client of a new user that has one connection. */
  async function clientOfNewUser(): Promise<{ client: Redis; user: string }> {
    const { body } = await servers.vault.must('GET', `${servers.engine.mount}/creds/app`)
    const { username: user, password } = body.data
    const { host, port } = servers.database
    const client = new Redis({ host, port, username: user, password, retryStrategy: () => null })
    client.on('error', () => {})
    await client.get('one')
    return { client, user }
  }

  it('runs commands, and gives the reply as a row', async () => {
    const { database } = servers
    expect(await database.query('["GET","one"]')).toEqual([{ reply: '1' }])
    await expect(database.query('["NOSUCHCOMMAND"]')).rejects.toThrow('unknown command')
  })

  it('nobody is let in without a password', async () => {
    const { host, port } = servers.database
    const client = new Redis({ host, port, lazyConnect: true, retryStrategy: () => null })
    client.on('error', () => {})
    await expect(client.connect()).rejects.toThrow()
    client.disconnect()
  })

  it('makes users that can use the data and nothing dangerous', async () => {
    const { client, user } = await clientOfNewUser()
    expect(await servers.engine.users()).toEqual([user])
    await expect(client.config('GET', 'port')).rejects.toThrow('NOPERM')
    await client.quit()
    await servers.engine.revokePrefix('app')
    expect(await servers.engine.users()).toEqual([])
  })

  it('drops users with a count of their open sessions, which end with them', async () => {
    const before = (await servers.engine.drops()).length
    const { client, user } = await clientOfNewUser()
    await servers.engine.revokePrefix('app')
    await vi.waitUntil(() => client.status === 'end')
    const gone = await clientOfNewUser()
    await gone.client.quit()
    await servers.engine.revokePrefix('app')
    expect((await servers.engine.drops()).slice(before)).toEqual([
      { username: user, openSessions: 1, at: expect.any(Number) },
      { username: gone.user, openSessions: 0, at: expect.any(Number) },
    ])
  })

  it('the watch sees sessions, and what it has acknowledged is there after it was killed', async () => {
    const watch = await watchSessions(servers.database)
    await servers.database.query('["SET","two","2"]')
    await servers.database.restart()
    expect(await servers.database.query('["GET","two"]')).toEqual([{ reply: '2' }])
    const { client, user } = await clientOfNewUser()
    await vi.waitUntil(async () => {
      const sessions = await servers.database.query<{ reply: string }>('["CLIENT","LIST"]')
      return sessions[0]?.reply.includes(`user=${user} `)
    })
    await new Promise((resolve) => setTimeout(resolve, 500))
    await client.quit()
    const { mostAtOnce } = await watch.stop()
    expect(mostAtOnce).toBe(1)
    await servers.engine.revokePrefix('app')
  })
})
