import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { token } from '../../src/vault/auth/token.ts'
import { authority, localhost } from '../certificates.ts'
import { asVault, reply, startHttpServer } from '../http-server.ts'
import { rejection } from '../secrets.ts'
import { vaultOf } from '../servers.ts'

type Meet = (request: IncomingMessage, socket: Socket) => void

const ok = asVault((_request, response) => reply(response, 200, { data: { is: 'here' } }))
const get = { method: 'GET', path: 'x' } as const

/** Opens a way to whatever it is asked for. */
const opens: Meet = ({ url = '' }, socket) => {
  const { hostname, port } = new URL(`http://${url}`)
  const onward = connect(Number(port), hostname, () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    socket.pipe(onward).pipe(socket)
  })
  socket.once('end', () => onward.destroy())
  onward.once('close', () => socket.destroy())
  for (const each of [socket, onward]) each.on('error', () => each.destroy())
}

async function startProxy(meet: Meet) {
  const asked: IncomingMessage[] = []
  const sockets = new Set<Socket>()
  const server = createServer()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('connect', (request, socket) => {
    asked.push(request)
    meet(request, socket as Socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `http://user:it%27s%20secret@127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

describe('an HTTP proxy', () => {
  it.each(['http', 'https'])('is asked for a way to a Vault by %s, with its password', async (protocol) => {
    const ca = await authority('the authority')
    await using server = await startHttpServer(ok, protocol === 'https' ? await localhost(ca) : undefined)
    await using proxy = await startProxy(opens)
    await using vault = vaultOf({
      address: server.address,
      auth: token('t'),
      tls: { caCert: ca.cert },
      proxy: proxy.address,
    })
    expect(await vault.send(get)).toMatchObject({ data: { is: 'here' } })
    const { host } = new URL(server.address)
    const basic = `Basic ${Buffer.from("user:it's secret").toString('base64')}`
    for (const { url, headers } of proxy.asked) {
      expect(url).toBe(host)
      expect(headers).toMatchObject({ host, 'proxy-authorization': basic })
    }
    expect(server.requests.flatMap(({ headers }) => Object.keys(headers))).not.toContain(
      'proxy-authorization',
    )
    await vault.close()
    await vi.waitFor(() => expect(proxy.sockets.size).toBe(0))
  })

  it('changes nothing of whom is trusted behind it', async () => {
    const [ca, other] = [await authority('the authority'), await authority('another authority')]
    await using server = await startHttpServer(ok, await localhost(other))
    await using proxy = await startProxy(opens)
    await using vault = vaultOf({
      address: server.address,
      auth: token('t'),
      tls: { caCert: ca.cert },
      proxy: proxy.address,
    })
    const error = await rejection(vault.send(get))
    expect(error).toMatchObject({
      code: 'ERR_VAULT_UNREACHABLE',
      message: expect.stringMatching(/certificate.*VAULT_CACERT/),
    })
    expect(server.requests).toEqual([])
  })

  it('that refuses is told of, with its answer', async () => {
    await using proxy = await startProxy((_request, socket) =>
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'),
    )
    await using vault = vaultOf({ address: 'https://vault.invalid', auth: token('t'), proxy: proxy.address })
    const error = await rejection(vault.send(get))
    expect(error).toMatchObject({
      code: 'ERR_VAULT_UNREACHABLE',
      message: expect.stringMatching(/through the proxy.*answered 407/),
    })
  })

  it('that hangs is left at the timeout, and the connection to it is closed', async () => {
    await using proxy = await startProxy((_request, socket) => socket.resume().on('end', () => socket.end()))
    await using vault = vaultOf({
      address: 'https://vault.invalid',
      auth: token('t'),
      proxy: proxy.address,
      timeoutMs: 100,
    })
    expect(await rejection(vault.send(get))).toMatchObject({ code: 'ERR_VAULT_TIMEOUT' })
    await vi.waitFor(() => expect(proxy.sockets.size).toBe(0))
  })
})
