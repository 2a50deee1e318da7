import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { findRedis } from '../../testing/src/binaries.ts'
import { onFreePort, ServerProcess, temporaryFolder } from '../../testing/src/server-process.ts'
import { vaultRedis } from '../src/index.ts'
import { rotate, type Servers, startServers } from './servers.ts'

/** A sentinel that knows the server by the name `cache`. It asks for no login. */
async function startSentinel({ address, database }: Servers) {
  const command = await findRedis()
  const folder = temporaryFolder()
  const configuration = join(folder.path, 'sentinel.conf')
  const { user, password } = database.superuser
  writeFileSync(
    configuration,
    [
      `sentinel monitor cache ${address.host} ${address.port} 1`,
      `sentinel auth-user cache ${user}`,
      `sentinel auth-pass cache ${password}`,
    ].join('\n'),
  )
  return await onFreePort(async (port) => {
    const running = await ServerProcess.start({
      name: 'redis-sentinel',
      command,
      args: [configuration, '--sentinel', '--bind', '127.0.0.1', '--port', String(port)],
      folder: folder.path,
      async ready() {
        const asking = new Redis({ port, host: '127.0.0.1', lazyConnect: true, retryStrategy: () => null })
        asking.on('error', () => {})
        try {
          await asking.connect()
        } finally {
          asking.disconnect()
        }
      },
    })
    const stop = async (): Promise<void> => {
      await running.stop('SIGKILL')
      folder.remove()
    }
    return { port, stop }
  })
}

describe('vaultRedis() on a client that asks a sentinel', () => {
  let servers: Servers
  let sentinel: Awaited<ReturnType<typeof startSentinel>>
  beforeAll(async () => {
    servers = await startServers()
    sentinel = await startSentinel(servers)
  })
  afterEach(() => servers.endAll())
  afterAll(() => Promise.all([servers?.stop(), sentinel?.stop()]))

  it('changes its user in place, and asks the sentinel without it', async () => {
    const from = { vault: await servers.vaultOptions(), role: servers.role }
    const client = new Redis({ sentinels: [{ host: '127.0.0.1', port: sentinel.port }], name: 'cache' })
    client.on('error', () => {})
    const redis = servers.closing(vaultRedis(client, from), (each) => each[Symbol.asyncDispose]())
    const user = await redis.acl('WHOAMI')
    const id = await redis.client('ID')
    await rotate(redis.lease, 3)
    expect(await redis.acl('WHOAMI')).not.toBe(user)
    expect(await redis.client('ID')).toBe(id)
    expect(redis.lease.status().places.map(({ place }) => place)).toEqual([
      `redis+sentinel://127.0.0.1:${sentinel.port}/cache`,
    ])
    await servers.ask('CLIENT', 'KILL', 'ID', String(id))
    expect(await redis.acl('WHOAMI')).toBe(redis.lease.current?.username)
  })
})
