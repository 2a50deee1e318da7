import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { type VaultSql, vaultPostgres } from '../src/index.ts'

describe('what the driver asks for first on a connection: the types of arrays', () => {
  let servers: LeasedServers
  const lost = /^(ECONNRESET|CONNECTION_CLOSED)$/
  const unheard: unknown[] = []
  const note = (reason: unknown): void => void unheard.push(reason)
  beforeAll(async () => {
    servers = await startLeasedServers({ kind: 'postgresql' })
    process.on('unhandledRejection', note)
  })
  afterEach(() => servers.endAll())
  afterAll(async () => {
    process.off('unhandledRejection', note)
    await servers?.stop()
  })

  async function open(options: { readonly port?: number } = {}): Promise<VaultSql> {
    const lease = await servers.lease()
    const sql = vaultPostgres({ ...servers.place, lease, max: 1, ...options })
    return servers.closing(sql, () => sql.end())
  }

  /** A way to the server that resets its first connection when so many bytes of the answer have come. */
  async function brokenOnceAfter(bytes: number): Promise<number> {
    let isBroken = false
    const way = createServer((near) => {
      const far = connect(servers.place)
      let asked = false
      let left = bytes
      const reset = (): void => {
        isBroken = true
        near.resetAndDestroy()
        far.destroy()
      }
      near.on('data', (data) => {
        asked ||= data.includes('b.typarray')
        if (asked && !isBroken && left === 0) reset()
        else far.write(data)
      })
      far.on('data', (data) => {
        if (!asked || isBroken) {
          near.write(data)
          return
        }
        near.write(data.subarray(0, left), () => setImmediate(reset))
        left -= Math.min(left, data.length)
        far.pause()
      })
      for (const [each, other] of [[near, far] as const, [far, near] as const]) {
        each.on('error', () => {})
        each.on('close', () => other.destroy())
      }
    })
    await once(way.listen(0, '127.0.0.1'), 'listening')
    servers.closing(way, () => way.close())
    return (way.address() as AddressInfo).port
  }

  it('is read as ever', async () => {
    const sql = await open()
    expect(await sql`select '{1,2}'::int[] as numbers`).toEqual([{ numbers: [1, 2] }])
  })

  it.each([0, 3, 100])(
    'fails whoever waits, and nothing else, when it is lost after %i bytes',
    async (bytes) => {
      const sql = await open({ port: await brokenOnceAfter(bytes) })
      await expect(sql`select 1 as one`).rejects.toMatchObject({ code: expect.stringMatching(lost) })
      expect(await sql`select '{1,2}'::int[] as numbers`).toEqual([{ numbers: [1, 2] }])
      await sleep(10)
      expect(unheard.splice(0)).toEqual([])
    },
  )

  it('is told to who has asked for a connection of his own when it is lost', async () => {
    const sql = await open({ port: await brokenOnceAfter(0) })
    const reserved = await sql.reserve()
    await expect(reserved`select 1 as one`).rejects.toMatchObject({ code: expect.stringMatching(lost) })
    reserved.release()
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
    await sleep(10)
    expect(unheard.splice(0)).toEqual([])
  })

  it('is done without where the server denies it', async () => {
    await servers.database.query('revoke select on pg_catalog.pg_type from public')
    const sql = await open()
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
    await sleep(10)
    expect(unheard.splice(0)).toEqual([])
    await servers.database.query('grant select on pg_catalog.pg_type to public')
  })
})
