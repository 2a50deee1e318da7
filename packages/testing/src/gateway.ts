import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Stands between clients and a server, and sees what clients ask before the server does. */
export interface Gateway extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Ends its connections too. */
  close(): Promise<void>
}

/**
 * Opens a gateway on an ephemeral port of 127.0.0.1. It does not keep the process alive. What the server says passes; what a
 * client says is passed on by `forward`.
 */
export async function openGateway(
  target: { readonly host: string; readonly port: number },
  forward: (client: Socket, server: Socket) => Promise<void>,
): Promise<Gateway> {
  const sockets = new Set<Socket>()
  const listener = createServer((client) => {
    const server = connect(target.port, target.host)
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(socket)
      socket.unref()
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    server.pipe(client)
    forward(client, server).catch(() => client.destroy())
  })
  listener.listen(0, '127.0.0.1').unref()
  await once(listener, 'listening')
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('the gateway has no port')
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy()
    if (listener.listening) await new Promise((resolve) => listener.close(resolve))
  }
  return { host: '127.0.0.1', port: address.port, close, [Symbol.asyncDispose]: close }
}
