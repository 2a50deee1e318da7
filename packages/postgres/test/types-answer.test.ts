import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { type VaultSql, vaultPostgres } from '../src/index.ts'
import { message, nothingRuns } from '../src/messages.ts'
import { TypesAnswer } from '../src/types-answer.ts'

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

  /** A way to the server on which the first answer is given to somebody else, and nothing comes after it. */
  async function wayWithFirst(answered: (client: Socket, answer: Buffer) => void): Promise<number> {
    let isFirst = true
    const way = createServer((near) => {
      const far = connect(servers.place)
      let isAsked = false
      near.on('data', (data) => {
        isAsked ||= isFirst && data.includes('b.typarray')
        far.write(data)
      })
      far.on('data', (data) => {
        if (!isAsked) near.write(data)
        else if (isFirst) answered(near, data)
        if (isAsked) isFirst = false
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

  const brokenAfter = (bytes: number) =>
    wayWithFirst((client, answer) => {
      client.write(answer.subarray(0, bytes), () => setImmediate(() => client.resetAndDestroy()))
    })

  it('is read as ever', async () => {
    const sql = await open()
    expect(await sql`select '{1,2}'::int[] as numbers`).toEqual([{ numbers: [1, 2] }])
  })

  it.each([0, 3, 100])(
    'fails whoever waits, and nothing else, when it is lost after %i bytes',
    async (bytes) => {
      const sql = await open({ port: await brokenAfter(bytes) })
      await expect(sql`select 1 as one`).rejects.toMatchObject({ code: expect.stringMatching(lost) })
      expect(await sql`select '{1,2}'::int[] as numbers`).toEqual([{ numbers: [1, 2] }])
      await sleep(10)
      expect(unheard.splice(0)).toEqual([])
    },
  )

  it('is told to who has asked for a connection of his own when it is lost', async () => {
    const sql = await open({ port: await brokenAfter(0) })
    const reserved = await sql.reserve()
    await expect(reserved`select 1 as one`).rejects.toMatchObject({ code: expect.stringMatching(lost) })
    reserved.release()
    expect(await sql`select 1 as one`).toEqual([{ one: 1 }])
    await sleep(10)
    expect(unheard.splice(0)).toEqual([])
  })

  it('is not waited for by an end that has no time', async () => {
    let isAsked = false
    const port = await wayWithFirst(() => {
      isAsked = true
    })
    const sql = await open({ port })
    const failed = expect(sql`select 1 as one`).rejects.toMatchObject({ code: 'CONNECTION_DESTROYED' })
    await vi.waitUntil(() => isAsked)
    await sql.end({ timeout: 0 })
    await failed
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

describe('TypesAnswer', () => {
  const rows = Buffer.concat([message('D', 'one'), message('D', 'two')])
  const notice = message('N', 'afterwards')

  it('is given as a whole, whatever the pieces, with what has come after it', () => {
    const answer = new TypesAnswer()
    for (const byte of rows) expect(answer.hears(Buffer.of(byte))).toBeUndefined()
    expect(answer.hears(Buffer.concat([nothingRuns, notice]))).toEqual(
      Buffer.concat([rows, nothingRuns, notice]),
    )
  })

  it('is left out when it has failed, but not what has come after it', () => {
    const answer = new TypesAnswer()
    expect(answer.hears(Buffer.concat([rows, message('E', 'denied')]))).toBeUndefined()
    expect(answer.hears(Buffer.concat([nothingRuns, notice]))).toEqual(Buffer.concat([nothingRuns, notice]))
  })
})
