import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FarewellSocket } from '../src/farewell-socket.ts'

describe('a FarewellSocket', () => {
  let server: Server
  /** What the server does when the other side has said farewell. */
  let onFarewell: (socket: Socket) => void
  beforeEach(async () => {
    server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {})
      socket.resume().once('end', () => onFarewell(socket))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
  })
  afterEach(() => server.close())

  async function connected(): Promise<FarewellSocket> {
    const socket = new FarewellSocket()
    socket.connect((server.address() as AddressInfo).port, '127.0.0.1')
    await once(socket, 'connect')
    return socket
  }

  it('is closed when the server has closed, however the driver leaves it', async () => {
    let serverClosed = false
    onFarewell = async (socket) => {
      await sleep(100)
      serverClosed = true
      socket.end()
    }
    const socket = await connected()
    socket.removeAllListeners().destroy().unref().destroy()
    await socket.whenClosed
    expect(serverClosed).toBe(true)
    expect(socket.destroyed).toBe(true)
  })

  it('is closed when the server closes first', async () => {
    const accepted = once(server, 'connection')
    const socket = await connected()
    const [peer]: Socket[] = await accepted
    peer?.end()
    await socket.resume().whenClosed
  })

  it('does not end the process when the server resets the connection in answer', async () => {
    onFarewell = (socket) => socket.resetAndDestroy()
    const socket = await connected()
    socket.removeAllListeners().destroy()
    await socket.whenClosed
  })

  it('waits for a server that does not answer for two seconds', async () => {
    onFarewell = () => {}
    const socket = await connected()
    const began = performance.now()
    socket.destroy()
    await socket.whenClosed
    expect(performance.now() - began).toBeGreaterThan(1_900)
  })

  it('is closed at once with an error, or when it could not connect', async () => {
    const broken = (await connected()).on('error', () => {})
    broken.destroy(new Error('broken'))
    await broken.whenClosed
    const refused = new FarewellSocket().on('error', () => {})
    refused.connect(1, '127.0.0.1')
    await refused.whenClosed
  })
})
