import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type OnLease, vaultRedis } from '@vault-lease/redis'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { exitCodeOf, runScript } from '../../../test/examples/service.ts'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { mailQueue, mailWorker } from '../src/mails.ts'

const folder = fileURLToPath(new URL('..', import.meta.url))
const rotations = 20

describe('the example bullmq-worker', () => {
  let servers: LeasedServers
  beforeAll(async () => {
    servers = await startLeasedServers({ kind: 'redis' })
    const creationStatements = [readFileSync(`${folder}setup/app.json`, 'utf8').trim()]
    await servers.engine.role(servers.role, { ttl: '60s', maxTtl: '10m', creationStatements })
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  async function connect(): Promise<Redis & OnLease> {
    const { host, port } = servers.place
    const from = { vault: await servers.vaultOptions(), role: servers.role }
    const client = new Redis({ host, port, maxRetriesPerRequest: null })
    return servers.closing(vaultRedis(client, from), (redis) => redis[Symbol.asyncDispose]())
  }

  it('loses no job and does none twice over 20 rotations under load', async () => {
    const redis = await connect()
    await redis.ping()
    const queue = mailQueue(redis)
    const done: string[] = []
    const worker = mailWorker(redis, async ({ id = '' }) => {
      await sleep(5)
      done.push(id)
    })
    const failed: unknown[] = []
    for (const event of ['error', 'failed', 'stalled'] as const) {
      worker.on(event as 'error', (problem) => failed.push([event, String(problem)]))
    }
    let adding = true
    const added = (async () => {
      const ids: string[] = []
      for (; adding; await sleep(1)) {
        const job = await queue.add('welcome', { to: `${ids.length}@example.com` })
        ids.push(job.id ?? '')
      }
      return ids
    })()
    const dropped = (await servers.engine.drops()).length
    for (let rotation = 0; rotation < rotations; rotation++) {
      await redis.lease.rotate()
      await sleep(50)
    }
    adding = false
    const ids = await added
    await vi.waitUntil(() => done.length >= ids.length, { timeout: 30_000 })
    // Where the worker waits, its connection changes when what it waits with has returned.
    await vi.waitUntil(() => redis.lease.status().retiring.length === 0, { timeout: 30_000 })
    expect(done.toSorted()).toEqual(ids.toSorted())
    expect(ids.length).toBeGreaterThan(200)
    expect(failed).toEqual([])
    const drops = (await servers.engine.drops()).slice(dropped)
    expect(drops).toHaveLength(rotations)
    expect(drops.filter(({ openSessions }) => openSessions > 0)).toEqual([])
    await Promise.all([worker.close(), queue.close()])
  })

  it('is a service that ends in good order', async () => {
    const service = runScript(folder, 'start', (await servers.environment()) as Record<string, string>)
    if (!service.stdout) throw new Error('the service has no output')
    const lines = createInterface({ input: service.stdout })
    expect(await once(lines, 'line')).toEqual(['Waiting for mails'])
    const redis = await connect()
    const queue = mailQueue(redis)
    await queue.add('welcome', { to: 'ada@example.com' })
    expect(await once(lines, 'line')).toEqual(['Sent to ada@example.com'])
    await queue.close()
    await redis[Symbol.asyncDispose]()
    expect(await servers.engine.users()).toHaveLength(1)
    service.kill('SIGTERM')
    expect(await exitCodeOf(service)).toBe(143)
    expect(await servers.engine.users()).toEqual([])
  })
})
