import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A way to a server that does not let go of a connection, and is never silent. */
export interface TalkingProxy extends AsyncDisposable {
  readonly port: number
  /** From now on open connections hear something every few milliseconds, whatever is said to them, and are not closed. */
  talkOn(): void
}

const everyMs = 100

/** ParameterStatus (PostgreSQL protocol, "Message Formats"): a type, a length that counts itself, a name and a value. */
const somethingToSay = Buffer.from('S\0\0\0\u0008a\0b\0')

export async function startTalkingProxy(to: { host: string; port: number }): Promise<TalkingProxy> {
  const sockets = new Set<Socket>()
  const talks = new Set<() => void>()
  const timers = new Set<NodeJS.Timeout>()
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect(to)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    client.pipe(upstream)
    upstream.pipe(client)
    talks.add(() => {
      client.unpipe(upstream)
      client.resume()
      upstream.unpipe(client)
      timers.add(setInterval(() => client.write(somethingToSay), everyMs))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port to be had')
  return {
    port: address.port,
    talkOn() {
      for (const talk of talks) talk()
      talks.clear()
    },
    async [Symbol.asyncDispose]() {
      for (const timer of timers) clearInterval(timer)
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
