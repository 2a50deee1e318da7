import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import type { LeaseManager } from '@vault-lease/core'
import { Redis, type RedisOptions } from 'ioredis'
import { createClient, type RedisClientType } from 'redis'
import { vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { type OnLease, vaultRedis } from '../src/index.ts'

/** A real Vault and a real Redis, and clients on them. */
export interface Servers extends LeasedServers {
  /** Where it is, for clients. */
  readonly address: { readonly host: string; readonly port: number }
  /** A client on a lease that a test can look at. */
  ioredis(
    options?: Pick<RedisOptions, 'protocol' | 'retryStrategy'>,
    lease?: LeaseManager,
  ): Promise<Redis & OnLease>
  /** The same, of node-redis, connected. */
  nodeRedis(options?: { readonly RESP?: 2 | 3 }, lease?: LeaseManager): Promise<RedisClientType & OnLease>
  /** A superuser's command. */
  ask(...command: string[]): Promise<unknown>
  /** How many connections dynamic users have, and of how many users. */
  sessions(): Promise<{ readonly open: number; readonly users: number }>
}

/** A way to the server on which a refusal arrives alone: what the server answers after it comes too late. */
export async function startSlowWay({ address, closing }: Servers): Promise<{ readonly port: number }> {
  const way = createServer((near) => {
    const far = connect(address)
    near.pipe(far)
    far.on('data', (answer) => {
      if (!answer.includes('WRONGPASS')) near.write(answer)
      else near.write(answer.subarray(0, answer.indexOf('\r\n') + 2))
    })
    for (const [each, other] of [[near, far] as const, [far, near] as const]) {
      each.on('close', () => other.destroy())
      each.on('error', () => {})
    }
  })
  await once(way.listen(0, '127.0.0.1'), 'listening')
  closing(way, () => way.close())
  return way.address() as AddressInfo
}

export async function startServers(): Promise<Servers> {
  const servers = await startLeasedServers({ kind: 'redis' })
  const { host, port } = servers.place
  const ask = async (...command: string[]): Promise<unknown> => {
    const [answer] = await servers.database.query<{ reply: unknown }>(JSON.stringify(command))
    return answer?.reply
  }
  return {
    ...servers,
    address: { host, port },
    ask,
    async ioredis(options = {}, lease) {
      const from = lease ? { lease } : { vault: await servers.vaultOptions(), role: servers.role }
      const client = new Redis({ ...options, host, port })
      const redis = vaultRedis(client, from)
      redis.on('error', () => {})
      return servers.closing(redis, async () => {
        if (redis.status !== 'end') await redis.quit()
      })
    },
    async nodeRedis(options = {}, lease) {
      const from = lease ? { lease } : { vault: await servers.vaultOptions(), role: servers.role }
      const client = createClient({ ...options, socket: { host, port } }) as RedisClientType
      const redis = servers.closing(vaultRedis(client, from), (each) => each[Symbol.asyncDispose]())
      await redis.connect()
      return redis
    },
    async sessions() {
      const users = Array.from(
        String(await ask('CLIENT', 'LIST')).matchAll(/ user=(V_\S+)/g),
        ([, user]) => user,
      )
      return { open: users.length, users: new Set(users).size }
    },
  }
}

/** Rotates until it is told to stop, and gives the number. */
export function rotating(lease: LeaseManager): () => Promise<number> {
  let going = true
  const rotations = (async () => {
    let count = 0
    for (; going || count < 5; count++) await rotate(lease, 1)
    return count
  })()
  return () => {
    going = false
    return rotations
  }
}

/** What is in force is the only one left. */
export async function untilRetired(lease: LeaseManager): Promise<void> {
  await vi.waitUntil(() => lease.status().retiring.length === 0, { timeout: 10_000, interval: 10 })
}

/** Rotates so often, each time until nobody is left of the old user. */
export async function rotate(lease: LeaseManager, times: number): Promise<void> {
  for (let rotation = 0; rotation < times; rotation++) {
    await lease.rotate()
    await untilRetired(lease)
  }
}
