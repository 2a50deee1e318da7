import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { type VaultSql, vaultPostgres } from '../src/index.ts'

describe('what is read and written in pieces', () => {
  const large = 4711
  let servers: LeasedServers
  beforeAll(async () => {
    servers = await startLeasedServers({
      kind: 'postgresql',
      schema: [
        'create table lines (n int)',
        'create table many as select n from generate_series(1, 200000) n',
        `select lo_create(${large})`,
        // What a user creates itself would keep it from being dropped.
        `grant all on large object ${large} to public`,
      ],
    })
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  async function open({ drainTimeoutMs = 60_000 } = {}): Promise<VaultSql> {
    const lease = await servers.lease({ rotation: { drainTimeoutMs } })
    const sql = vaultPostgres({ ...servers.place, lease, max: 2 })
    return servers.closing(sql, () => sql.end())
  }
  /** The user is replaced, and dropped as soon as nothing belongs to it. */
  async function goneAfter(sql: VaultSql, work: () => Promise<unknown>): Promise<void> {
    await sql.lease.rotate()
    expect(sql.lease.status().retiring).toHaveLength(1)
    await work()
    await vi.waitFor(() => expect(sql.lease.status().retiring).toEqual([]), 5_000)
    const [row] = await sql<{ user: string }[]>`select session_user as user`
    expect(row?.user).toBe(sql.lease.status().username)
  }

  it('copies in across a rotation', async () => {
    const sql = await open()
    const lines = await sql`copy lines from stdin`.writable()
    lines.write('1\n')
    await goneAfter(sql, async () => {
      lines.write('2\n')
      lines.end('3\n')
      await once(lines, 'finish')
    })
    expect(await sql`select n from lines order by n`).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }])
  })

  it('copies out across a rotation', async () => {
    const sql = await open()
    const rows = await sql`copy many to stdout`.readable()
    const [first] = await once(rows, 'readable').then(() => [rows.read(2)])
    expect(String(first)).toBe('1\n')
    await goneAfter(sql, async () => {
      const rest = await text(rows)
      expect(rest.split('\n')).toHaveLength(200_000)
      expect(rest.endsWith('\n200000\n')).toBe(true)
    })
  })

  it('runs a file', async () => {
    const sql = await open()
    const folder = await mkdtemp(join(tmpdir(), 'vault-lease-'))
    const file = join(folder, 'query.sql')
    await writeFile(file, 'select $1::int as n, pg_sleep(0.3)::text as nothing')
    const answer = sql.file<{ n: number }[]>(file, [7]).execute()
    await sleep(100)
    await goneAfter(sql, async () => expect(await answer).toMatchObject([{ n: 7 }]))
    await rm(folder, { recursive: true })
  })

  it('has large objects, each in its transaction, across a rotation', async () => {
    const sql = await open()
    const object = await sql.largeObject(large)
    const out = await object.writable()
    out.write('before, ')
    await goneAfter(sql, async () => {
      out.end('after')
      await once(out, 'finish')
      await object.seek(0)
      expect(await text(await object.readable())).toBe('before, after')
      await object.close()
    })
  })

  describe('for longer than the time to drain', () => {
    const retired = { code: 'ERR_CONNECTION_RETIRED' }

    it.each([
      ['to', (sql: VaultSql) => sql`copy lines from stdin`.writable()],
      ['from', (sql: VaultSql) => sql`copy many to stdout`.readable()],
    ] as const)('fails a copy %s the server', async (_direction, copy) => {
      const sql = await open({ drainTimeoutMs: 300 })
      const stream = await copy(sql)
      const failed = once(stream, 'close').catch((error: unknown) => error)
      await sql.lease.rotate()
      expect(await failed).toMatchObject(retired)
      expect(await sql`select 1 as n`).toEqual([{ n: 1 }])
    })

    it('fails what is asked of a large object', async () => {
      const sql = await open({ drainTimeoutMs: 300 })
      const object = await sql.largeObject(large)
      await sql.lease.rotate()
      await vi.waitFor(() => expect(sql.lease.status().retiring).toEqual([]), 5_000)
      await expect(object.read(10)).rejects.toMatchObject(retired)
      const out = await object.writable()
      out.write('late')
      await expect(once(out, 'close')).rejects.toMatchObject(retired)
      await expect(text(await object.readable())).rejects.toMatchObject(retired)
      await expect(object.close()).rejects.toMatchObject(retired)
      // Its place goes to others.
      const all = await Promise.all([sql.reserve(), sql.reserve()])
      for (const reserved of all) reserved.release()
    })
  })
})
