import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP, type Socket } from 'node:net'
import { connect } from 'node:tls'
import type { TlsConnectOptions } from './tls.ts'

interface TunnelOptions {
  /** Its user and password are sent to it. */
  readonly proxy: URL
  /** For a server with TLS. The certificate of the proxy is always verified, by Node's own authorities. */
  readonly tls: TlsConnectOptions
  readonly signal: AbortSignal
}

const defaultPorts: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }

/** A connection to a server through an HTTP proxy (RFC 9110, section 9.3.6, CONNECT). Rejects with why there is none. */
export async function tunnelTo(server: URL, { proxy, tls, signal }: TunnelOptions): Promise<Socket> {
  const { protocol, hostname } = server
  const { answer, socket } = await connected(`${hostname}:${portOf(server)}`, proxy, signal)
  if (answer.statusCode !== 200) {
    socket.destroy()
    throw new Error(`the proxy answered ${answer.statusCode} when it was to connect to Vault`)
  }
  if (protocol !== 'https:') return socket
  const host = hostname.replace(/^\[|\]$/g, '')
  return connect({ ...(isIP(host) ? {} : { servername: host }), host, ...tls, socket })
}

function connected(
  path: string,
  proxy: URL,
  signal: AbortSignal,
): Promise<{ readonly answer: IncomingMessage; readonly socket: Socket }> {
  return new Promise((resolve, reject) => {
    const request = (proxy.protocol === 'https:' ? httpsRequest : httpRequest)({
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: portOf(proxy),
      method: 'CONNECT',
      path,
      headers: { host: path },
      agent: false,
      rejectUnauthorized: true,
      signal,
    })
    const authorization = authorizationOf(proxy)
    // Not with the options, which NODE_DEBUG prints.
    if (authorization !== undefined) request.setHeader('proxy-authorization', authorization)
    request.once('connect', (answer, socket) => resolve({ answer, socket: socket as Socket }))
    request.on('error', reject)
    request.end()
  })
}

function authorizationOf({ username, password }: URL): string | undefined {
  if (!username && !password) return undefined
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return `Basic ${Buffer.from(pair).toString('base64')}`
}

function portOf({ port, protocol }: URL): string {
  return port || (defaultPorts[protocol] ?? '')
}
