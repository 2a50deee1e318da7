import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLease, type LeaseManager } from '@vault-lease/core'
import { Redis } from 'ioredis'
import { vi } from 'vitest'
import { findRedis } from '../../testing/src/binaries.ts'
import { onFreePort, ServerProcess, temporaryFolder } from '../../testing/src/server-process.ts'

const host = '127.0.0.1'
const hourMs = 3_600_000
const password = randomUUID()

/** A master and its replica, watched by a sentinel that knows them by the name `cache`. */
export interface RedisSentinel {
  readonly sentinel: { readonly host: string; readonly port: number }
  readonly master: { readonly port: number }
  readonly replica: { readonly port: number }
  /** On users that are made on both, or on so many. */
  lease(options?: { readonly on?: () => number }): LeaseManager
  /** Makes the replica the master. */
  failOver(): Promise<void>
  /** As whom anybody is logged in on the server of a port. */
  usersOn(port: number): Promise<string[]>
  stop(): Promise<void>
}

interface Running {
  readonly port: number
  readonly asking: Redis
  stop(): Promise<void>
}

export async function startRedisSentinel(): Promise<RedisSentinel> {
  const settings = [
    `requirepass ${password}`,
    `masterauth ${password}`,
    'save ""',
    'repl-diskless-sync-delay 0',
  ]
  const master = await start(settings)
  const replica = await start([...settings, `replicaof ${host} ${master.port}`])
  const servers = [master, replica]
  await vi.waitUntil(async () => String(await replica.asking.info()).includes('master_link_status:up'), {
    timeout: 10_000,
  })
  const watched = [
    `sentinel monitor cache ${host} ${master.port} 1`,
    `sentinel auth-pass cache ${password}`,
    'sentinel failover-timeout cache 5000',
  ]
  const sentinel = await start(watched, '--sentinel')
  await vi.waitUntil(async () => String(await sentinel.asking.info('sentinel')).includes('slaves=1'), {
    timeout: 15_000,
  })
  let count = 0
  return {
    sentinel: { host, port: sentinel.port },
    master,
    replica,
    lease: ({ on = () => servers.length } = {}) =>
      createLease({
        async credential() {
          const login = { username: `V_SENTINEL_${++count}`, password: randomUUID() }
          const rules = ['on', `>${login.password}`, '~*', '&*', '+@all', '-@dangerous', '+info']
          // A replica does not get the users of its master.
          await Promise.all(
            servers
              .slice(0, on())
              .map(({ asking }) => asking.call('ACL', 'SETUSER', login.username, ...rules)),
          )
          return { ...login, expiresAt: new Date(Date.now() + hourMs) }
        },
      }),
    async failOver() {
      await sentinel.asking.call('SENTINEL', 'FAILOVER', 'cache')
    },
    async usersOn(port) {
      const server = servers.find((each) => each.port === port)
      const clients = String(await server?.asking.call('CLIENT', 'LIST'))
      return Array.from(clients.matchAll(/ user=(V_\S+)/g), ([, user]) => user ?? '')
    },
    async stop() {
      await Promise.all([...servers, sentinel].map((each) => each.stop()))
    },
  }
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
