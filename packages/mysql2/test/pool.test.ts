import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Pool, RowDataPacket } from 'mysql2'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ask, connectionOf, failureOf, type Servers, startServers, userOf, whoAmI } from './servers.ts'

describe('a pool of createPool() is a pool of mysql2', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it('with callbacks', async () => {
    const pool = await servers.pool()
    expect(await ask(pool, 'select ? as one', [1])).toEqual([{ one: 1 }])
    const executed = await new Promise((resolve, reject) =>
      pool.execute('select ? + 1 as two', [1], (error, rows) => (error ? reject(error) : resolve(rows))),
    )
    expect(executed).toEqual([{ two: 2 }])
    const connection = await connectionOf(pool)
    expect(await ask(connection, 'select 3 as three')).toEqual([{ three: 3 }])
    connection.release()
    expect(pool.format('select ?', ['a'])).toBe(`select 'a'`)
  })

  it('with promises, by its own entry and by promise(), over the same connections', async () => {
    const pool = await servers.promisePool({ connectionLimit: 1 })
    const [rows] = await pool.query<RowDataPacket[]>('select connection_id() as id')
    const [again] = await pool.pool.promise().execute<RowDataPacket[]>('select connection_id() as id')
    expect(again).toEqual(rows)
    const connection = await pool.getConnection()
    expect(connection.threadId).toBe(rows[0]?.['id'])
    connection.release()
  })

  it('with its events: whoever is told to have acquired is told to have released', async () => {
    const pool = await servers.pool()
    const seen: string[] = []
    for (const event of ['connection', 'acquire', 'release'] as const) pool.on(event, () => seen.push(event))
    const count = (name: string) => seen.filter((event) => event === name).length
    await ask(pool, 'select 1')
    await ask(pool, 'select 1')
    // It proves the user first.
    expect(seen).toEqual(['connection', ...Array(3).fill(['acquire', 'release']).flat()])
    const held = await connectionOf(pool)
    await pool.lease.rotate()
    held.release()
    await Promise.all(Array.from({ length: 9 }, () => ask(pool, 'select 1')))
    await pool.end()
    expect(count('acquire')).toBe(count('release'))
  })

  it('with statements that are prepared anew for each user', async () => {
    const pool = await servers.promisePool({ connectionLimit: 2 })
    const sql = 'select count(*) + ? as count from items'
    for (let rotation = 0; rotation < 3; rotation++) {
      expect((await pool.execute(sql, [1]))[0]).toEqual((await pool.execute(sql, [1]))[0])
      await pool.lease.rotate()
    }
    const connection = await pool.getConnection()
    const prepared = await connection.prepare(sql)
    await pool.lease.rotate()
    expect(await prepared.execute([1])).toBeDefined()
    await prepared.close()
    connection.release()
  })

  it('with streams, which end, or are given up early', async () => {
    const pool = await servers.pool({ connectionLimit: 2 })
    const rowsOf = async (stream: Readable): Promise<number> => {
      let rows = 0
      for await (const _row of stream) if (++rows === 1) await pool.lease.rotate()
      return rows
    }
    expect(await rowsOf(pool.query('select seq from seq_1_to_500').stream({ highWaterMark: 5 }))).toBe(500)
    const connection = await connectionOf(pool)
    expect(await rowsOf(connection.execute('select seq from seq_1_to_500').stream())).toBe(500)
    connection.release()
    const early = pool.query('select seq from seq_1_to_5000').stream({ highWaterMark: 5 })
    await once(early, 'readable')
    early.destroy()
    expect(await userOf(pool)).toBe(pool.lease.status().username)
  })

  it('with LOAD DATA LOCAL INFILE that goes on across a rotation', async () => {
    const server = await servers.database.query<{ value: string }>(`select @@local_infile as value`)
    expect(server).toEqual([{ value: 1 }])
    let rotated: Promise<void> | undefined
    const lines = async function* (): AsyncGenerator<string> {
      yield 'loaded 1\n'
      rotated = pool.lease.rotate()
      await rotated
      for (let line = 2; line <= 2_000; line++) yield `loaded ${line}\n`
    }
    const pool = await servers.pool({
      connectionLimit: 2,
      infileStreamFactory: () => Readable.from(lines(), { objectMode: false }),
    })
    await ask(pool, `load data local infile 'any' into table items (name)`)
    await rotated
    expect(await ask(pool, `select count(*) as loaded from items where name like 'loaded %'`)).toEqual([
      { loaded: 2_000 },
    ])
  })

  it('that does not give a session to the next one when its user was changed', async () => {
    const { user, password } = servers.database.superuser
    const pool = await servers.promisePool({ connectionLimit: 1 })
    const connection = await pool.getConnection()
    await connection.changeUser({ user, password })
    expect((await connection.query(whoAmI))[0]).toEqual([{ user }])
    connection.release()
    expect(await userOf(pool.pool)).toBe(pool.lease.status().username)
  })

  it('whose session is kept when it was only reset by changeUser()', async () => {
    const pool = await servers.promisePool({ connectionLimit: 1 })
    const connection = await pool.getConnection()
    await connection.query('set @mine = 1')
    await connection.changeUser({})
    expect((await connection.query('select @mine as mine'))[0]).toEqual([{ mine: null }])
    const { threadId } = connection
    connection.release()
    expect((await pool.query('select connection_id() as id'))[0]).toEqual([{ id: threadId }])
  })

  it('that is as well as before when changeUser() is refused', async () => {
    const pool = await servers.promisePool({ connectionLimit: 1 })
    const connection = await pool.getConnection()
    expect(await failureOf(connection.changeUser({ user: 'nobody', password: 'x' }))).toMatchObject({
      errno: 1045,
    })
    connection.release()
    await pool.query('select 1')
    expect(pool.lease.status().generation).toBe(1)
  })

  it('on a lease of the caller’s, which two pools may share and neither closes', async () => {
    const lease = await servers.lease()
    const pools = [await servers.pool({ lease }), await servers.promisePool({ lease })] as const
    const usersOf = () => Promise.all([userOf(pools[0]), userOf(pools[1].pool)])
    const [first, second] = await usersOf()
    expect(first).toBe(second)
    await lease.rotate()
    const user = lease.current?.username
    expect(await usersOf()).toEqual([user, user])
    await pools[0].end()
    expect(lease.status().state).toBe('ready')
    expect(await userOf(pools[1].pool)).toBe(user)
  })

  it('whose connections are replaced although they go from hand to hand', async () => {
    const pool = await servers.pool({ connectionLimit: 1 })
    let stop = false
    const worker = async (): Promise<void> => {
      while (!stop) await ask(pool, 'do 1')
    }
    await ask(pool, 'do 1')
    const workers = Promise.all([worker(), worker(), worker(), worker()])
    await sleep(50)
    const { username } = pool.lease.status()
    const retired = once(pool.lease, 'retired')
    await pool.lease.rotate()
    expect((await retired)[0]).toMatchObject({ username, forced: 0 })
    stop = true
    await workers
  })

  it('that by its environment alone finds its role, and lets the process end when it has', async () => {
    const script = `
      import { createPool } from '@vault-lease/mysql2/promise'
      const { DB_HOST: host, DB_PORT: port, DB_NAME: database } = process.env
      const pool = createPool({ host, port: Number(port), database })
      const [[row]] = await pool.query('${whoAmI.replaceAll("'", '"')}')
      console.log(row.user)
      await pool.end()`
    const args = ['--conditions=@vault-lease/source', '--import', 'tsx', '--input-type=module', '-e', script]
    const cwd = fileURLToPath(new URL('..', import.meta.url))
    const env = await servers.environment()
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env, timeout: 30_000 })
    expect(stdout).toMatch(/^v-token-app-/)
  })

  describe.each<[string, () => Promise<Pool>]>([
    ['callbacks', () => servers.pool()],
    ['promises', async () => (await servers.promisePool()).pool],
  ])('of %s', (_name, open) => {
    it('that serves more callers than it has connections', async () => {
      const pool = await open()
      const answers = await Promise.all(Array.from({ length: 2_000 }, () => ask(pool, 'select 1 as one')))
      expect(answers).toHaveLength(2_000)
    })
  })
})
