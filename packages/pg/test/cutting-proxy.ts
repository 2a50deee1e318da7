import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** A way to the server that cuts the connection when it should, after a message of the server. */
export interface CuttingProxy extends AsyncDisposable {
  readonly port: number
  /** From now on connections are cut after the first CommandComplete (PostgreSQL protocol, "Message Formats"). */
  cutAfterCommandComplete(): void
}

const headerLength = 5
const commandComplete = 'C'

export async function startCuttingProxy(to: { host: string; port: number }): Promise<CuttingProxy> {
  let cutting = false
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(to)
    const both = [client, upstream]
    for (const socket of both) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        for (const each of both) each.destroy()
      })
    }
    client.pipe(upstream)
    let pending = Buffer.alloc(0)
    upstream.on('data', (data) => {
      pending = Buffer.concat([pending, data])
      for (let end = messageEnd(pending); end !== undefined; end = messageEnd(pending)) {
        const message = pending.subarray(0, end)
        pending = pending.subarray(end)
        client.write(message)
        if (cutting && String.fromCharCode(message[0] ?? 0) === commandComplete) {
          client.end()
          upstream.destroy()
          return
        }
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port to be had')
  return {
    port: address.port,
    cutAfterCommandComplete() {
      cutting = true
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}

/** Where the first message ends, once all of it is there: a type, then a length that counts itself. */
function messageEnd(bytes: Buffer): number | undefined {
  if (bytes.length < headerLength) return undefined
  const end = 1 + bytes.readUInt32BE(1)
  return bytes.length >= end ? end : undefined
}
