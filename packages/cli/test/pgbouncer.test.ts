import { once } from 'node:events'
import { chownSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hammer, type PgBouncer, type Servers, startPgBouncer, startServers } from '@vault-lease/testing'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { missing } from '../../../test/unless-missing.ts'
import { findPgBouncer } from '../../testing/src/binaries.ts'
import { freePort } from '../../testing/src/server-process.ts'
import { accessTo, type Running, run, start } from './cli.ts'
import { folderOfNobody } from './pgbouncer-folder.ts'

const patience = { timeout: 20_000, interval: 50 }

const lacking = await missing(findPgBouncer)

describe.skipIf(lacking !== undefined)('vault-lease pgbouncer', () => {
  let servers: Servers
  let env: Record<string, string>
  let folder: string
  let listen: string
  let pgbouncer: PgBouncer | undefined
  const started: Running[] = []

  beforeAll(async () => {
    servers = await startServers({ kind: 'postgresql' })
  })
  beforeEach(async () => {
    await servers.engine.role('app', { ttl: '60s', maxTtl: '120s' })
    env = await accessTo(servers)
    folder = folderOfNobody()
    listen = `127.0.0.1:${await freePort()}`
  })
  afterEach(async () => {
    for (const { child } of started.splice(0)) child.kill('SIGKILL')
    await pgbouncer?.stop()
    await servers.engine.revokePrefix('app')
    rmSync(folder, { recursive: true })
  })
  afterAll(() => servers?.stop())

  const keep = (...args: string[]): Running => {
    const running = start(['pgbouncer', '--role', 'app', ...args], env)
    started.push(running)
    return running
  }
  const keepConfig = (...args: string[]): Running => keep('--config', folder, '--listen', listen, ...args)
  const inFile = (name: string): string => readFileSync(join(folder, name), 'utf8')
  const startHere = async (): Promise<void> => {
    pgbouncer = await startPgBouncer(join(folder, 'pgbouncer.ini'), inFile('console.url').trim())
  }
  /** The user that is in force: in the file, and in PgBouncer. */
  const inForce = (): string | undefined => /user='([^']+)'/.exec(inFile('database.ini'))?.[1]
  const whoAmI = async (): Promise<string> => {
    const client = new pg.Client(inFile('application.url').trim())
    await client.connect()
    const { rows } = await client.query('select current_user as name')
    await client.end()
    return rows[0].name
  }
  /** Load through PgBouncer for as long as something takes. */
  const underLoad = async (until: Promise<unknown>): Promise<Record<string, number>> => {
    const pool = new pg.Pool({ connectionString: inFile('application.url').trim(), max: 10 })
    pool.on('error', () => {})
    const query = (): Promise<unknown> => pool.query('select $1::int as one', [1])
    const transaction = async (): Promise<void> => {
      const client = await pool.connect()
      try {
        await client.query('begin')
        await client.query('select pg_sleep(0.04)')
        await client.query('commit')
      } finally {
        client.release()
      }
    }
    const { failures, queries } = await hammer({
      run: { query, transaction },
      workers: 10,
      thinkMs: 10,
      until,
    })
    await pool.end()
    expect(queries).toBeGreaterThan(50)
    return failures
  }

  it('writes a whole configuration, and loses no query while users follow each other', async () => {
    await servers.engine.role('app', { ttl: '4s', maxTtl: '8s' })
    const running = keepConfig('--json')
    await running.until(/configured/)
    for (const name of ['pgbouncer.ini', 'userlist.txt', 'application.url', 'console.url'])
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
    await running.until(/does not answer/)
    await startHere()
    await running.until(/inForce/)
    expect(await whoAmI()).toBe(inForce())
    expect(statSync(join(folder, 'database.ini')).mode & 0o777).toBe(0o600)
    expect(await underLoad(running.until(/(inForce[\s\S]*){3}/))).toEqual({})
    expect((await servers.engine.drops()).filter(({ openSessions }) => openSessions > 0)).toEqual([])

    await pgbouncer?.stop()
    running.child.kill('SIGTERM')
    expect(await running.ended).toBe(0)
    expect(await servers.engine.users()).toEqual([])
    expect(inForce()).toBeUndefined()
    const events = running.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events[0]).toMatchObject({ event: 'configured', isNew: true, ini: join(folder, 'pgbouncer.ini') })
    for (const secret of [
      inFile('console.url').trim(),
      ...(inFile('userlist.txt').match(/[\w-]{32}/g) ?? []),
    ])
      expect(running.stdout + running.stderr).not.toContain(secret)
  })

  it('ended while PgBouncer runs, it cuts nobody off; started again it takes over without a lost query', async () => {
    const first = keepConfig()
    await first.until(/Start PgBouncer/)
    await startHere()
    await first.until(/database user is/)
    const user = inForce()
    const restarted = async (): Promise<void> => {
      first.child.kill('SIGINT')
      expect(await first.ended).toBe(0)
      expect(first.stderr).toContain('PgBouncer goes on')
      expect(await whoAmI()).toBe(user)
      const ini = inFile('pgbouncer.ini')
      const second = keepConfig()
      await second.until(/database user is/)
      expect(second.stderr).toContain('stays as it is')
      expect(inFile('pgbouncer.ini')).toBe(ini)
    }
    expect(await underLoad(restarted())).toEqual({})
    expect(inForce()).not.toBe(user)
    expect(await whoAmI()).toBe(inForce())
  })

  it('goes on when PgBouncer was away while users changed', async () => {
    await servers.engine.role('app', { ttl: '3s', maxTtl: '5s' })
    const running = keepConfig()
    await running.until(/Start PgBouncer/)
    await startHere()
    await running.until(/database user is/)
    const user = inForce()
    await pgbouncer?.kill()
    await vi.waitFor(() => expect(inForce()).not.toBe(user), patience)
    await pgbouncer?.start()
    expect(await whoAmI()).toBe(inForce())
    await running.until(/does not answer[\s\S]*database user is/)
  })

  it('cuts off who stays in a transaction, but not before the lease ends', async () => {
    await servers.engine.role('app', { ttl: '4s', maxTtl: '7s' })
    const running = keepConfig('--json')
    await running.until(/configured/)
    await startHere()
    await running.until(/inForce/)
    const user = inForce()
    const client = new pg.Client(inFile('application.url').trim())
    // once() would reject with the error that comes before.
    const cut = new Promise<void>((resolve) => client.once('end', resolve))
    client.on('error', () => {})
    await client.connect()
    await client.query('begin')
    await client.query('select 1')
    await running.until(/(inForce[\s\S]*){2}/)
    expect(await servers.engine.users()).toContain(user)
    await client.query('select 1')
    await cut
    await running.until(new RegExp(`revoked","username":"${user}`))
    expect((await servers.engine.drops()).find(({ username }) => username === user)).toMatchObject({
      openSessions: 0,
    })
  })

  it('killed at any moment and started again, it loses no query', async () => {
    let keeper = keepConfig('--json')
    await keeper.until(/configured/)
    await startHere()
    await keeper.until(/inForce/)
    const killing = async (): Promise<void> => {
      for (let afterMs = 200; afterMs < 440; afterMs += 30) {
        keeper.child.kill('SIGKILL')
        keeper = keepConfig('--json')
        await sleep(afterMs)
      }
      await keeper.until(/inForce/)
    }
    expect(await underLoad(killing())).toEqual({})
    expect(await whoAmI()).toBe(inForce())
    const console = new pg.Client(inFile('console.url').trim())
    await console.connect()
    const { rows } = await console.query('show config')
    await console.end()
    expect(rows).toContainEqual(expect.objectContaining({ key: 'default_pool_size', value: '20' }))
  })

  it('killed, it leaves a user that ends with its lease', async () => {
    await servers.engine.role('app', { ttl: '3s', maxTtl: '60s' })
    const running = keepConfig()
    await running.until(/Start PgBouncer/)
    await startHere()
    await running.until(/database user is/)
    running.child.kill('SIGKILL')
    await once(running.child, 'exit')
    await vi.waitFor(async () => expect(await servers.engine.users()).toEqual([]), patience)
  })

  describe('beside a configuration of your own', () => {
    let include: string
    let admin: string[]

    const configured = async (...lines: string[]): Promise<void> => {
      const [host, port] = listen.split(':')
      const write = (name: string, text: string): void => {
        writeFileSync(join(folder, name), text)
        const { uid } = statSync(folder)
        chownSync(join(folder, name), uid, uid)
      }
      const file = (name: string): string => join(folder, name)
      write('users', '"boss" "secret-of-boss"\n')
      write(
        'own.ini',
        [
          '[pgbouncer]',
          `listen_addr=${host}`,
          `listen_port=${port}`,
          'unix_socket_dir=',
          'auth_type=scram-sha-256',
          `auth_file=${file('users')}`,
          'admin_users=boss',
          ...lines,
        ].join('\n'),
      )
      include = file('included.ini')
      write('included.ini', '')
      admin = ['--include', include, '--admin', `postgresql://boss@${listen}/pgbouncer`]
      pgbouncer = await startPgBouncer(
        file('own.ini'),
        `postgresql://boss:secret-of-boss@${listen}/pgbouncer`,
      )
      env['PGPASSWORD'] = 'secret-of-boss'
    }

    it('leaves the file alone that is there, as long as there is nothing that is better', async () => {
      await servers.engine.role('app', {
        ttl: '60s',
        maxTtl: '120s',
        creationStatements: [`CREATE ROLE "{{name}}" NOLOGIN`],
      })
      await configured(`%include ${join(folder, 'included.ini')}`)
      writeFileSync(include, '; as it was')
      const ended = await run(['pgbouncer', '--role', 'app', ...admin], env)
      expect(ended).toMatchObject({ code: 4, stderr: expect.stringContaining('did not accept') })
      expect(readFileSync(include, 'utf8')).toBe('; as it was')
      expect(await servers.engine.users()).toEqual([])
    })

    it('writes what it includes, and says what loses queries there', async () => {
      await configured(`%include ${join(folder, 'included.ini')}`)
      const running = keep(...admin)
      await running.until(/database user is/)
      expect(readFileSync(include, 'utf8')).toContain('[databases]')
      expect(running.stderr).toContain('pool_mode is session')
      expect(running.stderr).toContain('server_login_retry is 15')
    })

    it.each([
      { what: 'does not include the file', password: 'secret-of-boss', says: '%include' },
      { what: 'does not know the password', password: 'another', says: 'PGPASSWORD' },
      { what: 'is told none', password: undefined, says: 'PGPASSWORD' },
    ])('ends with 4 when PgBouncer $what', async ({ password, says }) => {
      await configured()
      const ended = await run(['pgbouncer', '--role', 'app', ...admin], { ...env, PGPASSWORD: password })
      expect(ended).toMatchObject({ code: 4, stderr: expect.stringContaining(says) })
      if (password) expect(ended.stderr).not.toContain(password)
      expect(await servers.engine.users()).toEqual([])
    })
  })

  it.each([
    { what: 'neither a configuration nor a file', args: [], code: 2, says: '--config' },
    { what: 'both', args: ['--config', 'FOLDER', '--include', 'x'], code: 2, says: '--include' },
    {
      what: 'another database',
      args: ['--config', 'FOLDER', '--url', 'mysql://db/app'],
      code: 2,
      says: 'postgresql://',
    },
    {
      what: 'a password in --admin',
      args: ['--include', '/tmp/x', '--admin', 'postgresql://a:secret@h/pgbouncer'],
      code: 2,
      says: 'PGPASSWORD',
    },
    {
      what: 'no URL in --admin',
      args: ['--include', '/tmp/x', '--admin', 'here'],
      code: 2,
      says: 'postgresql://',
    },
    {
      what: 'a port that is none in --admin',
      args: ['--include', '/tmp/x', '--admin', 'postgresql://a@h:99999/pgbouncer'],
      code: 2,
      says: 'postgresql://',
    },
    {
      what: 'where it cannot listen',
      args: ['--config', 'FOLDER', '--listen', 'here'],
      code: 2,
      says: '6432',
    },
    { what: 'an unknown role', args: ['--config', 'FOLDER', '--role', 'nobody'], code: 3, says: 'nobody' },
    {
      what: 'no database',
      args: ['--config', 'FOLDER', '--url', 'postgresql://127.0.0.1:1/app'],
      code: 4,
      says: 'ECONNREFUSED',
    },
  ])('says what is wrong: $what', async ({ args, code, says }) => {
    const given = args.map((arg) => arg.replace('FOLDER', folder))
    const ended = await run(['pgbouncer', '--role', 'app', ...given], env)
    expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(says) })
    expect(ended.stderr).not.toContain('secret')
    expect(await servers.engine.users()).toEqual([])
  })
})
