import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { vaultPostgres } from '../src/index.ts'

describe('a client whose first query comes while it has not met all its places for a connection', () => {
  let servers: LeasedServers
  beforeAll(async () => {
    servers = await startLeasedServers({ kind: 'postgresql' })
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  /** As on a busy machine: the last place begins in the same moment as the one that has the first query. */
  async function withLastLate<T>(places: number, run: () => Promise<T>): Promise<T> {
    const { setTimeout } = globalThis
    let begun = 0
    let last: (...all: unknown[]) => void = () => {}
    const spy = vi.spyOn(globalThis, 'setTimeout').mockImplementation(((
      begin: (...all: unknown[]) => void,
      ms: number,
      ...args: unknown[]
    ) => {
      if (begin.name !== 'connect') return setTimeout(begin, ms, ...args)
      begun++
      if (begun === places) last = begin
      else if (begun === places + 1) setTimeout(last, 0)
      return begun === places ? undefined : setTimeout(begin, ms)
    }) as typeof setTimeout)
    try {
      return await run()
    } finally {
      spy.mockRestore()
    }
  }

  it('has it answered, with the types of arrays', async () => {
    const lease = await servers.lease()
    const max = 3
    const sql = vaultPostgres({ ...servers.place, lease, max })
    servers.closing(sql, () => sql.end())
    const [row] = await withLastLate(max, async () => await sql`select array[1, ${2}::int] as numbers`)
    expect(row).toEqual({ numbers: [1, 2] })
  })
})
