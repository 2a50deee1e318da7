import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'

/** A way to a server that can be cut off. */
export interface Detour extends Disposable {
  readonly host: string
  readonly port: number
  /** How many connections were made through it. */
  readonly connections: number
  reachable: boolean
}

export async function startDetour(to: { readonly host: string; readonly port: number }): Promise<Detour> {
  const server = createServer((socket) => {
    detour.connections++
    socket.on('error', () => {})
    if (!detour.reachable) return socket.destroy()
    const onward = connect(to.port, to.host).on('error', () => socket.destroy())
    return socket.pipe(onward).pipe(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { address: host, port } = server.address() as AddressInfo
  const detour = {
    host,
    port,
    connections: 0,
    reachable: true,
    [Symbol.dispose]: () => void server.close(),
  }
  return detour
}
