import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../leased-servers.ts'
import { leasedSubject } from './index.ts'
import { schemas } from './subject.ts'

describe('a connection of mariadb that is lost between its login and its first statement', () => {
  let servers: LeasedServers
  beforeAll(async () => {
    servers = await startLeasedServers({ kind: 'mysql', schema: schemas.mysql })
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  it.each(['prisma-mysql', 'sequelize-mariadb', 'mikro-orm-mariadb'] as const)(
    '%s: is heard of by whoever opens it, and ends no process',
    async (name) => {
      const { host, port, database } = servers.place
      await using way = await openWay(host, port)
      const lease = await servers.lease({ role: servers.role })
      const place = {
        server: { host: '127.0.0.1', port: way.port, database },
        max: 2,
        acquireTimeoutMs: 10_000,
      }
      const subject = await leasedSubject(name, place, { lease })
      servers.closing(subject, () => subject.close())
      await subject.query()
      way.cutsFirstStatements = true
      await expect(lease.rotate()).rejects.toMatchObject({ code: 'ERR_CREDENTIAL_NOT_PROVEN' })
      expect(way.cuts).toBeGreaterThan(0)
      way.cutsFirstStatements = false
      await lease.rotate()
      await subject.query()
    },
  )
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
