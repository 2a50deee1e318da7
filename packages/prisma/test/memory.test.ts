import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { heapAtRest } from '../../../test/heap.ts'
import { type Servers, startServers } from './servers.ts'

/** One that leaks a promise and its reaction for each query is above 3 MB. */
const allowedBytes = 1_000_000

describe.each(['postgresql', 'mysql'] as const)('the adapter for %s', (provider) => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers(provider)
  })
  afterAll(() => servers?.stop())

  it('keeps nothing of a query: after 4,000 on one lease the heap is where it was after 1,000', async () => {
    const lease = await servers.lease()
    const adapter = await (await servers.adapter({ lease })).connect()
    const one = { sql: 'select 1 as one', args: [], argTypes: [] }
    const work = async (times: number): Promise<void> => {
      for (let done = 0; done < times; done++) {
        await adapter.queryRaw(one)
        if (done % 10 > 0) continue
        const transaction = await adapter.startTransaction()
        await transaction.queryRaw(one)
        await transaction.rollback()
      }
    }
    await work(1_000)
    const before = await heapAtRest()
    await work(3_000)
    expect((await heapAtRest()) - before).toBeLessThan(allowedBytes)
    expect(lease.generation).toBe(1)
    await adapter.dispose()
    await servers.endAll()
  })
})
