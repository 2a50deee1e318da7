import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { items, itemsOf, type Servers, startServers, untilRetired } from './servers.ts'

const size = 8
const ageMs = 4_000
/** The turns take a quarter of the age of the user that is replaced. */
const turnsMs = ageMs / 4

describe('a rotation of VaultMongoClient under load', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  it('opens the connections of the new user one after another, not all at once', async () => {
    const client = await servers.client({ maxPoolSize: size })
    const opened: number[] = []
    client.on('connectionReady', () => void opened.push(performance.now()))
    const work = new AbortController()
    const workers = Array.from({ length: size }, async () => {
      while (!work.signal.aborted) expect(await itemsOf(client).countDocuments()).toBe(items)
    })
    await sleep(ageMs)
    expect(opened).toHaveLength(size)
    opened.length = 0

    await client.lease.rotate()
    await untilRetired(client)
    work.abort()
    await Promise.all(workers)
    expect(opened.length).toBeGreaterThanOrEqual(size - 1)
    // Slow ones take longer, never shorter.
    expect((opened.at(-1) ?? 0) - (opened[0] ?? 0)).toBeGreaterThan(turnsMs / 2)
  })
})
