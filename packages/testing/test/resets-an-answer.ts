// A fault proxy resets a connection that has been answered and is about to end, and there is nothing more to do then.
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { httpAnswer, openFaultProxy } from '../src/fault-proxy.ts'

const upstream = createServer((socket) => socket.on('error', () => {})).listen(0, '127.0.0.1')
await once(upstream, 'listening')
const { address: host, port } = upstream.address() as AddressInfo
const proxy = await openFaultProxy({ host, port })
proxy.set({ kind: 'answer', bytes: httpAnswer(200) })
subscribe('net.server.socket', (message) => {
  const { socket } = message as { readonly socket: Socket }
  if (socket.localPort !== proxy.port) return
  socket.once('data', async () => {
    // So many ticks later it has been told to end, and has not ended yet.
    for (let tick = 0; tick < 4; tick++) await new Promise(process.nextTick)
    proxy.set({ kind: 'none' })
  })
})
const client = connect(proxy.port, proxy.host)
  .on('error', () => {})
  .resume()
client.write('?')
await once(client, 'close')
await proxy[Symbol.asyncDispose]()
upstream.close()
