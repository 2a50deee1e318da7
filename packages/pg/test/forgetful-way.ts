import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A way to PostgreSQL that leaves the `options` out of the first message, as PgBouncer does with ignore_startup_parameters. */
export interface ForgetfulWay extends AsyncDisposable {
  readonly host: string
  readonly port: number
}

export async function startForgetfulWay(to: {
  readonly host: string
  readonly port: number
}): Promise<ForgetfulWay> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(to)
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}))
    upstream.pipe(client)
    client.once('data', (first) => {
      upstream.write(withoutOptions(first))
      client.pipe(upstream)
    })
    client.on('close', () => upstream.destroy())
    upstream.on('close', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port to be had')
  return {
    host: '127.0.0.1',
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

/** StartupMessage: a length that counts itself, a version, names and values that end with a zero, and a zero. */
function withoutOptions(message: Buffer): Buffer {
  const words = message.toString('latin1', 8).split('\0')
  const at = words.indexOf('options')
  if (at >= 0) words.splice(at, 2)
  const rest = Buffer.from(words.join('\0'), 'latin1')
  const head = Buffer.from(message.subarray(0, 8))
  head.writeInt32BE(head.length + rest.length)
  return Buffer.concat([head, rest])
}
