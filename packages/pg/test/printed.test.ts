import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { format } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Servers, startServers } from './servers.ts'

describe('a VaultPool that is printed', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const password = (pool: Awaited<ReturnType<Servers['pool']>>): string =>
    pool.lease.current?.password ?? expect.unreachable('there is no credential')

  it("shows no password, by console.log('%o') neither", async () => {
    const pool = await servers.pool({ max: 2 })
    const client = await pool.connect()
    expect(format('%o %o', pool, client)).not.toContain(password(pool))
    client.release()
  })

  it('shows none while a server hangs that has asked for it', async () => {
    const sockets = new Set<Socket>()
    const hanging = createServer((socket) => void sockets.add(socket)).listen(0, '127.0.0.1')
    await once(hanging, 'listening')
    const address = hanging.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const lease = await servers.lease()
    await lease.ready()
    const pool = await servers.pool({ host: '127.0.0.1', port, lease, connectionTimeoutMillis: 500 })
    const failed = pool.query('select 1').catch(() => 'failed')
    await once(hanging, 'connection')
    expect(format('%o', pool)).not.toContain(password(pool))
    expect(await failed).toBe('failed')
    for (const socket of sockets) socket.destroy()
    hanging.close()
  })
})
