import { setTimeout as sleep } from 'node:timers/promises'
import { type Servers, startServers, watchSessions } from '@vault-lease/testing'
import mysql from 'mysql2/promise'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** The watch looks every few milliseconds; on a busy machine it comes to that later. */
const looksWithinMs = 1_000

describe('MariaDB and the database engine on it', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers({ kind: 'mysql', schema: ['create table items (id int)'] })
    await servers.engine.role('app', { ttl: '1m', maxTtl: '5m' })
  })
  afterAll(() => servers?.stop())

  async function connectionOfNewUser(): Promise<{ connection: mysql.Connection; user: string }> {
    const { vault, engine, database: server } = servers
    const { body } = await vault.must('GET', `${engine.mount}/creds/app`)
    const { username: user, password } = body.data
    const { host, port, database } = server
    const connection = await mysql.createConnection({ host, port, database, user, password })
    connection.on('error', () => {})
    return { connection, user }
  }

  it.each(['root', ''])('lets nobody in without a password, as %j', async (user) => {
    const { host, port } = servers.database
    await expect(mysql.createConnection({ host, port, user, password: '' })).rejects.toMatchObject({
      code: 'ER_ACCESS_DENIED_ERROR',
    })
  })

  it('makes users that can use the tables, and drops them with a count of their open sessions', async () => {
    const { connection, user } = await connectionOfNewUser()
    await connection.query('insert into items values (1)')
    expect(await servers.engine.users()).toEqual([user])
    const at = Date.now()
    await servers.engine.revokePrefix('app')
    const gone = await connectionOfNewUser()
    await gone.connection.end()
    await servers.engine.revokePrefix('app')
    const drops = await servers.engine.drops()
    expect(drops).toEqual([
      { username: user, openSessions: 1, at: expect.any(Number) },
      { username: gone.user, openSessions: 0, at: expect.any(Number) },
    ])
    expect(Math.abs((drops[0]?.at ?? 0) - at)).toBeLessThan(2_000)
    expect(await servers.engine.users()).toEqual([])
    connection.destroy()
  })

  it('ends the lease of a user that is gone already, as after a revocation that was given up in its midst', async () => {
    const { connection, user } = await connectionOfNewUser()
    await connection.end()
    await servers.database.query(`drop user '${user}'@'%'`)
    await servers.engine.revokePrefix('app')
    expect(await servers.engine.leases('app')).toEqual([])
  })

  it('the watch sees sessions, across a restart', async () => {
    const watch = await watchSessions(servers.database)
    await servers.database.restart()
    const { connection, user } = await connectionOfNewUser()
    await sleep(looksWithinMs)
    await connection.end()
    await sleep(looksWithinMs)
    const { timeline, mostAtOnce } = await watch.stop()
    expect(mostAtOnce).toBe(1)
    expect(timeline.map(({ sessions }) => sessions).slice(-2)).toEqual([{ [user]: 1 }, {}])
    await servers.engine.revokePrefix('app')
  })

  it('is paused, killed and brought back', async () => {
    const { database } = servers
    database.pause()
    let answered = false
    const asked = database.query('select 1').then(() => {
      answered = true
    })
    await sleep(300)
    expect(answered).toBe(false)
    database.resume()
    await asked
    await database.kill()
    await expect(database.query('select 1')).rejects.toThrow()
    await database.start()
    expect(await database.query('select count(*) as n from items')).toEqual([{ n: 1 }])
  })
})
