import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { authority, localhost, type Pair } from '../../core/test/certificates.ts'
import { onFreePort } from '../../testing/src/server-process.ts'
import { vaultRedis } from '../src/index.ts'
import { rotate, type Servers, startServers } from './servers.ts'

const host = '127.0.0.1'

describe('vaultRedis() over TLS', () => {
  let servers: Servers
  let trusted: Pair
  let port: number
  beforeAll(async () => {
    servers = await startServers()
    trusted = await authority('trusted')
    port = await listenWithTls(await localhost(trusted))
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  /** The server listens on another port, too. */
  async function listenWithTls({ cert, key }: Pair): Promise<number> {
    const answer = (await servers.ask('CONFIG', 'GET', 'dir')) as string[]
    const file = (name: string, content: string): string => {
      const path = join(String(answer[1]), name)
      writeFileSync(path, content, { mode: 0o644 })
      return path
    }
    const files = ['tls-cert-file', file('cert.pem', cert), 'tls-key-file', file('key.pem', key)]
    return await onFreePort(async (free) => {
      await servers.ask('CONFIG', 'SET', ...files, 'tls-auth-clients', 'no', 'tls-port', String(free))
      return free
    })
  }

  const blocked = async () => String(await servers.ask('CLIENT', 'LIST')).includes('cmd=blpop')

  it('changes the user of a connection of ioredis in place, and replaces one that blocks', async () => {
    const lease = await servers.lease({ rotation: { drainTimeoutMs: 100 } })
    const redis = vaultRedis(new Redis({ host, port, tls: { ca: trusted.cert } }), { lease })
    redis.on('error', () => {})
    servers.closing(redis, (each) => each[Symbol.asyncDispose]())
    const id = await redis.client('ID')
    const user = await redis.acl('WHOAMI')
    expect(await redis.client('INFO')).toContain(`laddr=${host}:${port} `)
    await rotate(lease, 2)
    expect(await redis.client('ID')).toBe(id)
    expect(await redis.acl('WHOAMI')).not.toBe(user)
    const popped = redis.duplicate().blpop('queue', 0)
    await vi.waitUntil(blocked)
    await rotate(lease, 2)
    await redis.rpush('queue', 'one')
    expect(await popped).toEqual(['queue', 'one'])
    expect(lease.status().places.map(({ place }) => place)).toEqual([`rediss://${host}:${port}/0`])
  })

  it('changes the user of a connection of node-redis in place, and replaces one that blocks', async () => {
    const lease = await servers.lease({ rotation: { drainTimeoutMs: 100 } })
    const client = createClient({ url: `rediss://${host}:${port}`, socket: { tls: true, ca: trusted.cert } })
    const redis = servers.closing(vaultRedis(client, { lease }), (each) => each[Symbol.asyncDispose]())
    await redis.connect()
    const id = await redis.clientId()
    const user = await redis.aclWhoAmI()
    expect(await redis.sendCommand(['CLIENT', 'INFO'])).toContain(`laddr=${host}:${port} `)
    await rotate(lease, 2)
    expect(await redis.clientId()).toBe(id)
    expect(await redis.aclWhoAmI()).not.toBe(user)
    const worker = redis.duplicate()
    await worker.connect()
    const popped = worker.blPop('queue', 0)
    await vi.waitUntil(blocked)
    await rotate(lease, 2)
    await redis.rPush('queue', 'one')
    expect(await popped).toMatchObject({ element: 'one' })
    expect(lease.status().places.map(({ place }) => place)).toEqual([`rediss://${host}:${port}/0`])
  })

  it('sends no login to a server whose certificate is not trusted', async () => {
    const lease = await servers.lease()
    const redis = vaultRedis(new Redis({ host, port, tls: {}, retryStrategy: () => null }), { lease })
    redis.on('error', () => {})
    await expect(redis.ping()).rejects.toThrow()
    const socket = { tls: true as const, reconnectStrategy: false as const }
    const client = vaultRedis(createClient({ url: `rediss://${host}:${port}`, socket }), { lease })
    await expect(client.connect()).rejects.toThrow(/certificate/)
    expect(await servers.sessions()).toEqual({ open: 0, users: 0 })
  })
})
