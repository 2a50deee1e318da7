import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import type { ClientRequest } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import { createLease, token } from '@vault-lease/core'
import { VaultPool } from '@vault-lease/pg'
import { type Servers, startServers } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'

describe('what SECURITY.md says can be seen', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers({ kind: 'postgresql' })
    await servers.engine.role('app', { ttl: '60s', maxTtl: '10m' })
  })
  afterAll(() => servers?.stop())
  const closing: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of closing.splice(0)) await close()
  })

  it('by whoever subscribes to the channels of node:http in the process: the token', async () => {
    const value = await servers.engine.createToken()
    const seen: unknown[] = []
    const look = (message: unknown): void => {
      seen.push((message as { request: ClientRequest }).request.getHeader('x-vault-token'))
    }
    subscribe('http.client.request.start', look)
    closing.push(() => unsubscribe('http.client.request.start', look))
    const lease = createLease({ vault: { address: servers.vault.address, auth: token(value) }, role: 'app' })
    closing.push(() => lease.close())
    await lease.ready()
    expect(seen).toContain(value)
  })

  /** Takes itself for PostgreSQL, and asks for the password in clear text. */
  async function imposter(): Promise<{ server: Server; port: number; told: () => string }> {
    let told = ''
    const server = createServer((socket: Socket) => {
      socket.on('error', () => {})
      socket.on('data', (data) => {
        const wantsTls = data.length === 8 && data.readInt32BE(4) === 80877103
        if (wantsTls) return void socket.write('N')
        if (data[0] !== 'p'.charCodeAt(0)) return void socket.write(Buffer.from([82, 0, 0, 0, 8, 0, 0, 0, 3]))
        told += data.toString()
        socket.destroy()
      })
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => void server.close())
    return { server, port: (server.address() as { port: number }).port, told: () => told }
  }

  async function passwordAt(port: number, ssl: object): Promise<string> {
    const lease = createLease({
      vault: { address: servers.vault.address, auth: token(await servers.engine.createToken()) },
      role: 'app',
    })
    closing.push(() => lease.close())
    const { password } = await lease.credential()
    const pool = new VaultPool({
      lease,
      host: '127.0.0.1',
      port,
      database: 'app',
      connectionTimeoutMillis: 2_000,
      ...ssl,
    })
    closing.push(() => pool.end())
    await expect(pool.query('select 1')).rejects.toThrow()
    return password
  }

  it('by a server that takes itself for PostgreSQL, without TLS: the password', async () => {
    const { port, told } = await imposter()
    const password = await passwordAt(port, {})
    expect(told()).toContain(password)
  })

  it('by one that is asked for TLS: nothing', async () => {
    const { port, told } = await imposter()
    await passwordAt(port, { ssl: { rejectUnauthorized: true } })
    expect(told()).toBe('')
  })
})
