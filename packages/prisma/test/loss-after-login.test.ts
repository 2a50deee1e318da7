import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Servers, startServers } from './servers.ts'

describe('a connection of MySQL that is lost between its login and its first statement', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers('mysql')
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it('is heard of by whoever opens it, and ends no process', async () => {
    const { host, port } = servers.place
    await using way = await openWay(host, port)
    const lease = await servers.leaseOf('60s')
    await lease.ready()
    const client = await servers.client({ lease }, { host: '127.0.0.1', port: way.port })
    await client.$queryRawUnsafe('select 1')
    way.cutsFirstStatements = true
    await expect(lease.rotate()).rejects.toMatchObject({ code: 'ERR_CREDENTIAL_NOT_PROVEN' })
    expect(way.cuts).toBeGreaterThan(0)
    way.cutsFirstStatements = false
    await lease.rotate()
    await client.$queryRawUnsafe('select 1')
  })
})

interface Way extends AsyncDisposable {
  readonly port: number
  cutsFirstStatements: boolean
  readonly cuts: number
}

/** A way to a server that can cut each connection at its first statement, which begins as a packet with the byte of COM_QUERY. */
async function openWay(host: string, port: number): Promise<Way> {
  const way = { cutsFirstStatements: false, cuts: 0 }
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(port, host)
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        near.destroy()
        far.destroy()
      })
    }
    far.pipe(near)
    near.on('data', (bytes) => {
      if (way.cutsFirstStatements && isStatement(bytes)) {
        way.cuts++
        near.destroy()
      } else far.write(bytes)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return Object.assign(way, {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  })
}

function isStatement(bytes: Buffer): boolean {
  const [sequence, command] = [bytes[3], bytes[4]]
  return sequence === 0 && command === 0x03
}
