import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Servers, startServers } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { accessTo, type Running, run, start } from './cli.ts'

const patience = { timeout: 20_000, interval: 100 }
const userIn = /v-[\w-]+/

/** A program of Node that is given as a text. */
const program = (text: string): string[] => ['--', process.execPath, '-e', text]
const printsUser = 'console.log(process.env.DB_USERNAME)'
/** Runs until SIGTERM, and says who it is. */
const stays = `
  process.on('SIGTERM', () => process.exit(7))
  process.on('SIGHUP', () => console.log('hup'))
  console.log('pid', process.pid, 'user', process.env.DB_USERNAME)
  setInterval(() => {}, 1000)`

describe('vault-lease exec', () => {
  let servers: Servers
  let env: Record<string, string>
  let folder: string
  const started: Running[] = []

  beforeAll(async () => {
    servers = await startServers({ kind: 'postgresql' })
    folder = mkdtempSync(join(tmpdir(), 'exec-'))
  })
  beforeEach(async () => {
    await servers.engine.role('app', { ttl: '60s', maxTtl: '120s' })
    env = await accessTo(servers)
  })
  afterEach(async () => {
    for (const { child, stdout } of started.splice(0)) {
      child.kill('SIGKILL')
      // What a killed command has run goes on.
      for (const [, pid] of stdout.matchAll(/pid (\d+)/g)) endIfThere(Number(pid))
    }
    await servers.engine.revokePrefix('app')
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true })
    await servers?.stop()
  })

  const exec = (...args: string[]): Running => {
    const running = start(['exec', '--role', 'app', ...args], env)
    started.push(running)
    return running
  }
  const users = (): Promise<string[]> => servers.engine.users()

  it('says whom it leaves behind when Vault cannot be asked to revoke', async () => {
    const running = exec(
      ...program(
        `${printsUser}; process.on('SIGUSR2', () => process.exit(0)); console.log('pid', process.pid); setInterval(() => {}, 1000)`,
      ),
    )
    const [, pid] = await running.until(/pid (\d+)/)
    await servers.vault.seal()
    process.kill(Number(pid), 'SIGUSR2')
    expect(await running.ended).toBe(0)
    await servers.vault.unseal()
    expect(running.stderr).toMatch(/The database user lives until its lease ends: .*sealed/)
  })

  it('gives the program what it needs to connect, its exit code back, and leaves no user', async () => {
    const query = `import(${JSON.stringify(import.meta.resolve('pg'))}).then(async ({ default: { Client } }) => {
      const client = new Client()
      await client.connect()
      const { rows } = await client.query('select current_user as name')
      console.log(rows[0].name, process.env.DATABASE_URL.includes(rows[0].name))
      await client.end()
      process.exit(5)
    })`
    const { code, stdout, stderr } = await run(['exec', '--role', 'app', ...program(query)], env)
    expect({ code, stderr }).toEqual({ code: 5, stderr: '' })
    expect(stdout).toMatch(/^v-token-app-\S+ true\n$/)
    expect(await users()).toEqual([])
    expect(await servers.engine.leases('app')).toEqual([])
  })

  it('passes standard input through, and options of the program that look like its own', async () => {
    const running = exec('--', 'cat', '-')
    running.child.stdin?.end('what came in')
    expect(await running.ended).toBe(0)
    expect(running.stdout).toBe('what came in')
    const { stdout } = await run(['exec', '--role', 'app', '--', 'echo', '--role', '--help'], env)
    expect(stdout).toBe('--role --help\n')
  })

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'passes %s on, and revokes when the program has ended',
    async (signal) => {
      const ends = stays.replace('SIGTERM', signal)
      const running = exec(...program(ends))
      await running.until(/user v-/)
      running.child.kill(signal)
      expect(await running.ended).toBe(7)
      expect(await users()).toEqual([])
    },
  )

  it('tells of a program that was killed, and revokes', async () => {
    expect(
      await run(['exec', '--role', 'app', ...program('process.kill(process.pid, "SIGKILL")')], env),
    ).toMatchObject({
      code: 137,
    })
    expect(await users()).toEqual([])
  })

  it('has an exit code for a program that is not there, and one that cannot be run', async () => {
    expect(await run(['exec', '--role', 'app', '--', 'no-such-program'], env)).toMatchObject({ code: 127 })
    expect(await run(['exec', '--role', 'app', '--', '/etc/passwd'], env)).toMatchObject({ code: 126 })
    expect(await run(['exec', '--role', 'app', '--', ''], env)).toMatchObject({ code: 126 })
    expect(await users()).toEqual([])
  })

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'ends when %s comes before there is a credential',
    async (signal) => {
      servers.vault.pause()
      const running = exec(...program(stays))
      await new Promise((resolve) => setTimeout(resolve, 1_500))
      running.child.kill(signal)
      await new Promise((resolve) => setTimeout(resolve, 500))
      servers.vault.resume()
      expect(await running.ended).toBe(128 + constants.signals[signal])
      expect(running.stdout).toBe('')
      await vi.waitFor(async () => expect(await users()).toEqual([]), patience)
    },
  )

  it('takes no folder for a file', async () => {
    const ended = await run(['exec', '--role', 'app', '--out', folder, ...program(printsUser)], env)
    expect(ended).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('is a folder') })
    expect(await users()).toEqual([])
  })

  it('starts the program anew also when its file cannot be written any more', async () => {
    await servers.engine.role('app', { ttl: '4s', maxTtl: '8s' })
    const inner = mkdtempSync(join(folder, 'inner-'))
    const running = exec(
      '--on-rotate',
      'restart',
      '--grace',
      '1000h',
      '--out',
      join(inner, 'creds'),
      ...program(stays),
    )
    await running.until(userIn)
    rmSync(inner, { recursive: true })
    await running.until(/(user v-[\s\S]*){2}/)
    expect(running.stderr).toContain('could not be written')
    running.child.kill('SIGTERM')
    expect(await running.ended).toBe(7)
    expect(await users()).toEqual([])
  })

  it('keeps the lease alive beyond its TTL', async () => {
    await servers.engine.role('app', { ttl: '5s', maxTtl: '60s' })
    const running = exec(...program(stays))
    const [user] = await running.until(userIn)
    await new Promise((resolve) => setTimeout(resolve, 8_000))
    expect(await users()).toEqual([user])
    running.child.kill('SIGTERM')
    expect(await running.ended).toBe(7)
  })

  it('starts the program anew with another user when it is told to, before the user ends', async () => {
    await servers.engine.role('app', { ttl: '4s', maxTtl: '8s' })
    const running = exec('--on-rotate', 'restart', ...program(stays))
    await running.until(/(user v-[\s\S]*){3}/)
    const seen: readonly string[] = running.stdout.match(/v-\S+/g) ?? []
    expect(new Set(seen).size).toBe(seen.length)
    running.child.kill('SIGTERM')
    expect(await running.ended).toBe(7)
    expect(await users()).toEqual([])
    const drops = (await servers.engine.drops()).filter(({ username }) => seen.includes(username))
    expect(drops.filter(({ openSessions }) => openSessions > 0)).toEqual([])
  })

  it('kills what does not end in its time when it is to begin anew', async () => {
    await servers.engine.role('app', { ttl: '4s', maxTtl: '8s' })
    const stubborn = `process.on('SIGTERM', () => {}); console.log('pid', process.pid, 'user', process.env.DB_USERNAME); setInterval(() => {}, 1000)`
    const running = exec('--on-rotate', 'restart', '--grace', '300ms', ...program(stubborn))
    await running.until(/(user v-[\s\S]*){2}/)
    running.child.kill('SIGKILL')
    await once(running.child, 'exit')
  })

  it('writes a file anew, and signals the program', async () => {
    await servers.engine.role('app', { ttl: '4s', maxTtl: '8s' })
    const out = join(folder, 'db.json')
    const running = exec('--on-rotate', 'signal:HUP', '--out', out, '--format', 'json', ...program(stays))
    const [first] = await running.until(userIn)
    expect(JSON.parse(readFileSync(out, 'utf8'))).toMatchObject({ username: first })
    expect(statSync(out).mode & 0o777).toBe(0o600)
    await running.until(/hup/)
    expect(JSON.parse(readFileSync(out, 'utf8')).username).not.toBe(first)
    running.child.kill('SIGTERM')
    expect(await running.ended).toBe(7)
    expect(existsSync(out)).toBe(false)
    expect(await users()).toEqual([])
  })

  it('killed itself, it leaves a user that ends with its lease', async () => {
    await servers.engine.role('app', { ttl: '3s', maxTtl: '60s' })
    const running = exec(...program(stays))
    await running.until(/user v-/)
    running.child.kill('SIGKILL')
    await once(running.child, 'exit')
    await vi.waitFor(async () => expect(await users()).toEqual([]), patience)
  })

  it.each([
    { what: 'no role', args: program(printsUser), code: 2, says: 'Which database role?' },
    { what: 'an unknown option', args: ['--rol', 'app', ...program(printsUser)], code: 2, says: '--role' },
    { what: 'no program', args: ['--role', 'app'], code: 2, says: 'program' },
    { what: 'an unknown role', args: ['--role', 'nobody', ...program(printsUser)], code: 3, says: 'nobody' },
    {
      what: 'a signal without a file',
      args: ['--role', 'app', '--on-rotate', 'signal:HUP', ...program(printsUser)],
      code: 2,
      says: '--out',
    },
    {
      what: 'something else to do',
      args: ['--role', 'app', '--on-rotate', 'reload', ...program(printsUser)],
      code: 2,
      says: 'restart',
    },
    {
      what: 'a login in the URL',
      args: ['--role', 'app', '--url', 'postgresql://me:secret@db/app', ...program(printsUser)],
      code: 2,
      says: 'come from Vault',
    },
    {
      what: 'a database that is not there',
      args: ['--role', 'app', '--url', 'postgresql://127.0.0.1:1/app', ...program(printsUser)],
      code: 4,
      says: 'ECONNREFUSED',
    },
  ])('says what is wrong: $what', async ({ args, code, says }) => {
    const ended = await run(['exec', ...args], env)
    expect(ended).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(says) })
    expect(ended.stderr).not.toContain('secret')
    expect(await users()).toEqual([])
  })
})

function endIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}
