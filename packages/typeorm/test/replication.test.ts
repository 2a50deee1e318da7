import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Servers, startServers } from './servers.ts'

describe('a replicated DataSource of vaultDataSource()', () => {
  let servers: Servers
  let replica: Server
  let reachable = true
  let connections = 0
  beforeAll(async () => {
    servers = await startServers()
    const { host, port } = servers.place
    replica = createServer((socket) => {
      connections++
      socket.on('error', () => {})
      if (!reachable) return socket.destroy()
      const onward = connect(port, host).on('error', () => socket.destroy())
      return socket.pipe(onward).pipe(socket)
    }).listen(0, '127.0.0.1')
    await once(replica, 'listening')
  })
  afterEach(() => servers.endAll())
  afterAll(async () => {
    replica?.close()
    await servers?.[Symbol.asyncDispose]()
  })

  const replication = () => {
    const { port } = replica.address() as AddressInfo
    return { master: servers.place, slaves: [{ ...servers.place, host: '127.0.0.1', port }] }
  }

  it('has one user on all servers, and destroy() leaves nothing', async () => {
    const dataSource = await servers.dataSource({ replication: replication() })
    expect(connections).toBeGreaterThan(0)
    const users = await Promise.all(
      (['master', 'slave'] as const).map(async (mode) => {
        const runner = dataSource.createQueryRunner(mode)
        const [{ user }] = await runner.query('select session_user as user')
        await runner.release()
        return user
      }),
    )
    expect(users[0]).toMatch(/^v-/)
    expect(users[1]).toBe(users[0])
    await dataSource.destroy()
    expect(await servers.engine.users()).toEqual([])
  })

  it('goes over to a new user when every server has accepted it, and not before', async () => {
    const lease = await servers.lease()
    const dataSource = await servers.dataSource({ lease, replication: replication() })
    reachable = false
    await expect(lease.rotate()).rejects.toMatchObject({ code: 'ERR_CREDENTIAL_NOT_PROVEN' })
    expect(lease.status().generation).toBe(1)
    reachable = true
    const before = connections
    await lease.rotate()
    expect(lease.status().generation).toBe(2)
    expect(connections).toBeGreaterThan(before)
    await dataSource.destroy()
  })
})
