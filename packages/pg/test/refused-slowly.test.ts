import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Servers, startServers } from './servers.ts'

const user = 'steady'

describe('a VaultPool whose server refuses a password, and is slow to close the connection', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  /** A way to the server on which the end of a refused connection comes late. */
  async function slowWay(): Promise<{ readonly host: string; readonly port: number }> {
    const way = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect(servers.place)
      let isRefused = false
      near.on('data', (data) => far.write(data)).on('end', () => far.end())
      far.on('data', (data) => {
        isRefused ||= data.includes('C28P01')
        near.write(data)
      })
      far.on('close', () => setTimeout(() => near.end(), isRefused ? 1_000 : 0))
      near.on('close', () => far.destroy())
      for (const each of [near, far]) each.on('error', () => {})
    })
    await once(way.listen(0, '127.0.0.1'), 'listening')
    servers.closing(way, () => way.close())
    return { host: '127.0.0.1', port: (way.address() as AddressInfo).port }
  }

  it('waits for another password, and does not try the same again because there is no room to prove it', async () => {
    await servers.database.query(`create role ${user} login password 'first'`)
    let password = 'first'
    const credential = async () => ({ username: user, password })
    const lease = await servers.lease({ role: undefined, vault: undefined, credential })
    const pool = await servers.pool({ ...(await slowWay()), lease, max: 2, connectionTimeoutMillis: 15_000 })
    const held = await pool.connect()
    await servers.database.query(`alter role ${user} password 'second'`)
    const answers = [1, 2, 3].map(() => pool.query('select session_user as name'))
    await sleep(2_500)
    password = 'second'
    for (const { rows } of await Promise.all(answers)) expect(rows).toEqual([{ name: user }])
    held.release()
  })
})
