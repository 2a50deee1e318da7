import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { asPgClient } from '../src/driver.ts'
import { type Servers, startServers } from './servers.ts'

describe('the clients of a VaultPool', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  async function listenersOf(pool: pg.Pool): Promise<Record<string, number>> {
    const client = await pool.connect()
    const held = client.listenerCount('error')
    client.release()
    const idle = client.listenerCount('error')
    await pool.query('select 1')
    return { held, idle, idleAgain: client.listenerCount('error') }
  }

  it('have the listeners for errors that those of pg.Pool have, held and idle', async () => {
    const plain = new pg.Pool({ ...servers.place, ...servers.database.superuser, max: 1 })
    const expected = await listenersOf(plain)
    await plain.end()
    expect(await listenersOf(await servers.pool({ max: 1 }))).toEqual(expected)
  })

  it('that are lost do not end the process, whether anybody listens or not', async () => {
    const pool = await servers.pool({ max: 2 })
    const [unheard, heard] = await Promise.all([pool.connect(), pool.connect()])
    const errors: Error[] = []
    heard.on('error', (error) => errors.push(error))
    for (const client of [unheard, heard]) {
      const lost = new Promise((resolve) => client.once('end', resolve))
      await servers.database.query(`select pg_terminate_backend(${asPgClient(client).processID})`)
      await lost
      client.release()
    }
    expect(errors.length).toBeGreaterThan(0)
    await pool.query('select 1')
  })
})
