import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'

/** A request as it came over the wire. */
export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A server for the faults that no real Vault gives on demand. */
export interface HttpServer extends AsyncDisposable {
  readonly address: string
  readonly requests: readonly Seen[]
  /** Connections that are open now. */
  readonly sockets: ReadonlySet<Socket>
}

/** What to answer; nothing at all when it returns without ending the response. */
export type Answer = (request: Seen, response: ServerResponse) => void

export async function startHttpServer(answer: Answer, tls?: ServerOptions): Promise<HttpServer> {
  const requests: Seen[] = []
  const sockets = new Set<Socket>()
  const server = tls ? createTlsServer(tls) : createServer()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('request', async (request, response) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    const { method = '', url = '', headers } = request
    const seen = { method, url, headers, body }
    requests.push(seen)
    answer(seen, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    address: `${tls ? 'https' : 'http'}://127.0.0.1:${port}`,
    requests,
    sockets,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

export function reply(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** A Vault that knows every token, for as long as it likes, and leaves the rest to `answer`. */
export function asVault(answer: Answer): Answer {
  return (request, response) => {
    if (!request.url.endsWith('/auth/token/lookup-self')) return answer(request, response)
    reply(response, 200, { data: { ttl: 0, creation_ttl: 0, renewable: false } })
  }
}

/** An address at which nobody listens. */
export async function nobodyListens(): Promise<string> {
  const server = await startHttpServer(() => {})
  await server[Symbol.asyncDispose]()
  return server.address
}
