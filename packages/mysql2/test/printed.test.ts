import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { format, inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { VaultPool } from '../src/index.ts'
import { ask, connectionOf, type Servers, startServers } from './servers.ts'

describe('a pool of createPool() that is printed', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const expectHidden = (pool: VaultPool, ...others: unknown[]): void => {
    const password = pool.lease.current?.password ?? expect.unreachable('there is no credential')
    for (const each of [pool, ...others]) {
      expect(inspect(each, { depth: 4 })).not.toContain(password)
      expect(format('%o', each)).not.toContain(password)
      expect(inspect(each, { depth: 9, showHidden: true })).not.toContain(password)
    }
  }

  it('shows no password', async () => {
    const pool = await servers.pool({ connectionLimit: 2 })
    const connection = await connectionOf(pool)
    await ask(connection, 'select 1')
    expectHidden(pool, connection)
    connection.release()
  })

  it('shows none while a server hangs that has been told who comes', async () => {
    const { host, port } = servers.place
    const sockets = new Set<Socket>()
    let heard = 0
    const hanging = createServer((client) => {
      const server = connect(port, host)
      for (const socket of [client, server]) sockets.add(socket.on('error', () => {}))
      server.pipe(client)
      client.on('data', () => heard++)
    }).listen(0, '127.0.0.1')
    await once(hanging, 'listening')
    const address = hanging.address()
    const lease = await servers.lease()
    await lease.ready()
    if (address === null || typeof address === 'string') throw new Error('no port to be had')
    const pool = await servers.pool({ host: '127.0.0.1', port: address.port, lease, connectTimeout: 1_000 })
    const failed = ask(pool, 'select 1').catch(() => 'failed')
    await vi.waitUntil(() => heard > 0)
    expectHidden(pool)
    expect(await failed).toBe('failed')
    for (const socket of sockets) socket.destroy()
    hanging.close()
  })
})
