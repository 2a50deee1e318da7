import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { commandIn, greetingIn, type MongoDocument, messages, replyTo, wantsReply } from './messages.ts'
import { userIn } from './user-in.ts'

/** Stands between clients and a MongoDB server, and sees every command before the server does. */
export interface MongoGateway extends AsyncDisposable {
  readonly host: string
  readonly port: number
  /** Ends its connections too. */
  close(): Promise<void>
}

/** Where a gateway leads, and what it does on the way. */
export interface MongoGatewayOptions {
  readonly host: string
  readonly port: number
  /**
   * Called with each command, and with the user who has begun to log in on its connection. The server is asked afterwards,
   * unless this gives a reply. What it throws, the client gets as the reply of a server that failed.
   */
  onCommand(command: MongoDocument, user: string | undefined): Promise<MongoDocument | undefined>
}

/** Opens a gateway on an ephemeral port of 127.0.0.1. It does not keep the process alive. */
export async function openMongoGateway(options: MongoGatewayOptions): Promise<MongoGateway> {
  const sockets = new Set<Socket>()
  const listener = createServer((client) => {
    const server = connect(options.port, options.host)
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
    forward(client, server, options.onCommand).catch(() => client.destroy())
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

async function forward(
  client: Socket,
  server: Socket,
  onCommand: MongoGatewayOptions['onCommand'],
): Promise<void> {
  let user: string | undefined
  for await (const message of messages(client)) {
    const command = commandIn(message)
    user = userIn(command ?? greetingIn(message) ?? {}) ?? user
    const reply = command && (await onCommand(command, user).catch(failure))
    if (!reply) server.write(message)
    else if (wantsReply(message)) client.write(replyTo(message, reply))
  }
}

function failure(error: unknown): MongoDocument {
  return { ok: 0, code: 8, codeName: 'UnknownError', errmsg: String(error) }
}
