import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLease } from '@vault-lease/core'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { findRedis } from '../../testing/src/binaries.ts'
import { onFreePort, ServerProcess, temporaryFolder } from '../../testing/src/server-process.ts'
import { vaultRedis } from '../src/index.ts'
import { rotate } from './servers.ts'

const host = '127.0.0.1'
const hourMs = 3_600_000
const password = randomUUID()

interface Running {
  readonly port: number
  readonly asking: Redis
  stop(): Promise<void>
}

/** A server, or the sentinel, which asks for no password. */
async function start(settings: readonly string[], ...kind: readonly string[]): Promise<Running> {
  const command = await findRedis()
  const folder = temporaryFolder()
  const configuration = join(folder.path, 'redis.conf')
  writeFileSync(configuration, settings.join('\n'))
  const login = kind.length > 0 ? {} : { password }
  return await onFreePort(async (port) => {
    const asking = new Redis({ ...login, host, port, lazyConnect: true, retryStrategy: () => 50 })
    asking.on('error', () => {})
    const running = await ServerProcess.start({
      name: 'redis-server',
      command,
      args: [configuration, ...kind, '--bind', host, '--port', String(port), '--dir', folder.path],
      folder: folder.path,
      ready: () => asking.ping(),
    })
    const stop = async (): Promise<void> => {
      asking.disconnect()
      await running.stop('SIGKILL')
      folder.remove()
    }
    return { port, asking, stop }
  })
}

describe('vaultRedis() on a client that asks a sentinel, over a failover', () => {
  const all: Running[] = []
  let servers: readonly Running[]
  let sentinel: Running
  beforeAll(async () => {
    const settings = [
      `requirepass ${password}`,
      `masterauth ${password}`,
      'save ""',
      'repl-diskless-sync-delay 0',
    ]
    const master = await start(settings)
    all.push(master)
    const replica = await start([...settings, `replicaof ${host} ${master.port}`])
    all.push(replica)
    servers = [master, replica]
    await vi.waitUntil(async () => String(await replica.asking.info()).includes('master_link_status:up'), {
      timeout: 10_000,
    })
    const watched = [
      `sentinel monitor cache ${host} ${master.port} 1`,
      `sentinel auth-pass cache ${password}`,
      'sentinel failover-timeout cache 5000',
    ]
    sentinel = await start(watched, '--sentinel')
    all.push(sentinel)
    await vi.waitUntil(async () => String(await sentinel.asking.info('sentinel')).includes('slaves=1'), {
      timeout: 15_000,
    })
  })
  afterAll(() => Promise.all(all.map((each) => each.stop())))

  it('goes on with the new master, before and after a rotation', async () => {
    let count = 0
    const lease = createLease({
      async credential() {
        const login = { username: `V_SENTINEL_${++count}`, password: randomUUID() }
        const rules = ['on', `>${login.password}`, '~*', '&*', '+@all', '-@dangerous', '+info']
        // A replica does not get the users of its master.
        await Promise.all(
          servers.map(({ asking }) => asking.call('ACL', 'SETUSER', login.username, ...rules)),
        )
        return { ...login, expiresAt: new Date(Date.now() + hourMs) }
      },
    })
    const sentinels = [{ host, port: sentinel.port }]
    const redis = vaultRedis(new Redis({ sentinels, name: 'cache', sentinelRetryStrategy: () => 50 }), {
      lease,
    })
    redis.on('error', () => {})
    await redis.set('counter', 0)
    await rotate(lease, 2)
    const whereBefore = redis.stream.remotePort
    expect(whereBefore).toBe(servers[0]?.port)
    const user = lease.current?.username
    await sentinel.asking.call('SENTINEL', 'FAILOVER', 'cache')
    await vi.waitFor(
      async () => {
        await redis.incr('counter')
        expect(redis.stream.remotePort).toBe(servers[1]?.port)
      },
      { timeout: 30_000, interval: 20 },
    )
    expect(await redis.acl('WHOAMI')).toBe(user)
    await rotate(lease, 3)
    expect(await redis.acl('WHOAMI')).toBe(lease.current?.username)
    expect(lease.current?.username).not.toBe(user)
    expect(Number(await redis.get('counter'))).toBeGreaterThan(0)
    await redis.quit()
    await lease.close()
  })
})
