import { randomUUID } from 'node:crypto'
import type { GivenCredential } from '@vault-lease/core'
import { Redis } from 'ioredis'
import { vi } from 'vitest'
import { findRedis } from '../../testing/src/binaries.ts'
import { onFreePort, ServerProcess, temporaryFolder } from '../../testing/src/server-process.ts'

/** Servers of one cluster, and users that exist on each of them. */
export interface RedisCluster {
  readonly nodes: readonly { readonly host: string; readonly port: number }[]
  /** A new user on every node, or on so many. */
  createUser(options?: {
    readonly rules?: readonly string[]
    readonly on?: number
  }): Promise<Pick<GivenCredential, 'username' | 'password'>>
  /** How many connections a user has on each node. */
  sessionsOf(user: string): Promise<number[]>
  dropUser(user: string): Promise<void>
  stop(): Promise<void>
}

const host = '127.0.0.1'
const size = 3
const slots = 16_384
const rulesOfUsers = ['~*', '&*', '+@all', '-@dangerous', '+info']

/** Each node has a third of the slots. */
export async function startRedisCluster(): Promise<RedisCluster> {
  const started = await Promise.all(Array.from({ length: size }, startNode))
  const admins = started.map(({ admin }) => admin)
  const nodes = started.map(({ port }) => ({ host, port }))
  await Promise.all(
    admins.map(async (admin, n) => {
      const [from, to] = [n, n + 1].map((third) => Math.floor((slots * third) / size)) as [number, number]
      await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', n + 1)
      await admin.call('CLUSTER', 'ADDSLOTSRANGE', from, to - 1)
    }),
  )
  for (const { port, busPort } of started.slice(1))
    await admins[0]?.call('CLUSTER', 'MEET', host, port, busPort)
  const isWhole = async (admin: Redis): Promise<boolean> => {
    const state = String(await admin.call('CLUSTER', 'INFO'))
    return state.includes('cluster_state:ok') && state.includes(`cluster_size:${size}`)
  }
  await vi.waitUntil(async () => (await Promise.all(admins.map(isWhole))).every((whole) => whole), {
    timeout: 20_000,
    interval: 50,
  })
  let count = 0
  return {
    nodes,
    async createUser({ rules = rulesOfUsers, on = size } = {}) {
      const login = { username: `V_CLUSTER_${++count}`, password: randomUUID() }
      const rule = ['reset', 'on', `>${login.password}`, ...rules]
      await Promise.all(
        admins.slice(0, on).map((admin) => admin.call('ACL', 'SETUSER', login.username, ...rule)),
      )
      return login
    },
    sessionsOf: (user) =>
      Promise.all(
        admins.map(async (admin) => {
          const clients = String(await admin.call('CLIENT', 'LIST')).split('\n')
          return clients.filter((client) => client.includes(` user=${user} `)).length
        }),
      ),
    async dropUser(user) {
      await Promise.all(admins.map((admin) => admin.call('ACL', 'DELUSER', user)))
    },
    async stop() {
      await Promise.all(started.map((node) => node.stop()))
    },
  }
}

async function startNode() {
  const command = await findRedis()
  const folder = temporaryFolder()
  const password = randomUUID()
  return await onFreePort((busPort) =>
    onFreePort(async (port) => {
      const admin = new Redis({ host, port, password, lazyConnect: true, retryStrategy: () => 50 })
      admin.on('error', () => {})
      const running = await ServerProcess.start({
        name: 'redis-server',
        command,
        args: [
          ...['--bind', host, '--port', String(port), '--dir', folder.path, '--requirepass', password],
          ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--save', ''],
          ...['--cluster-node-timeout', '5000'],
        ],
        folder: folder.path,
        ready: () => admin.ping(),
      })
      const stop = async (): Promise<void> => {
        admin.disconnect()
        await running.stop('SIGKILL')
        folder.remove()
      }
      return { port, busPort, admin, stop }
    }),
  )
}
