import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Servers, startServers } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { accessTo, type Running, run, start } from './cli.ts'

const patience = { timeout: 20_000, interval: 100 }

describe.each(['postgresql', 'mysql', 'mongodb'] as const)('vault-lease on %s', (kind) => {
  let servers: Servers
  let env: Record<string, string>
  let folder: string
  let running: Running | undefined

  beforeAll(async () => {
    servers = await startServers({ kind })
    folder = mkdtempSync(join(tmpdir(), 'creds-'))
  })
  beforeEach(async () => {
    await servers.engine.role('app', { ttl: '60s', maxTtl: '120s' })
    env = await accessTo(servers)
  })
  afterEach(async () => {
    running?.child.kill('SIGKILL')
    await servers.engine.revokePrefix('app')
  })
  afterAll(async () => {
    rmSync(folder, { recursive: true })
    await servers?.stop()
  })

  const creds = (...args: string[]) => run(['creds', '--role', 'app', ...args], env)

  it('creds prints a credential that lives on, as JSON', async () => {
    const { code, stdout, stderr } = await creds('--json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const { username, password, url } = JSON.parse(stdout)
    expect(await servers.engine.users()).toEqual([username])
    expect(url).toContain(`${username}:${encodeURIComponent(password)}@`)
  })

  it('creds prints what a shell evaluates', async () => {
    const { stdout } = await creds()
    const names = Array.from(stdout.matchAll(/^export (\w+)="[^"]+"$/gm), ([, name]) => name)
    expect(names).toEqual(expect.arrayContaining(['DB_USERNAME', 'DB_PASSWORD', 'DATABASE_URL']))
    expect(stdout.trimEnd().split('\n')).toHaveLength(names.length)
  })

  it('creds keeps a file up to date, and removes it with the user', async () => {
    await servers.engine.role('app', { ttl: '4s', maxTtl: '8s' })
    const out = join(folder, 'creds')
    const seen = join(folder, 'seen')
    const after = `cat ${out} >> ${seen}`
    running = start(
      ['creds', '--role', 'app', '--watch', '--out', out, '--format', 'lines', '--exec-after', after],
      env,
    )
    const users = (): string[] =>
      existsSync(seen) ? (readFileSync(seen, 'utf8').match(/^v-.*$/gm) ?? []) : []
    await vi.waitFor(() => expect(new Set(users()).size).toBe(2), patience)
    expect(statSync(out).mode & 0o777).toBe(0o600)
    expect(await servers.engine.users()).toContain(readFileSync(out, 'utf8').split('\n')[0])
    running.child.kill('SIGTERM')
    expect(await running.ended).toBe(0)
    expect(existsSync(out)).toBe(false)
    expect(await servers.engine.users()).toEqual([])
  })

  it('creds removes its file and its user also when a signal comes twice, as npx sends it', async () => {
    const out = join(folder, 'twice')
    const watching = start(['creds', '--role', 'app', '--watch', '--out', out], env)
    running = watching
    await watching.until(/database user is/)
    // So that the end takes longer than from one to the other.
    servers.database.pause()
    for (let times = 0; times < 2; times++) {
      watching.child.kill('SIGINT')
      await sleep(100)
    }
    servers.database.resume()
    expect(await watching.ended).toBe(0)
    expect(existsSync(out)).toBe(false)
    expect(await servers.engine.users()).toEqual([])
  })

  it('creds does not wait at its end for what --exec-after runs', async () => {
    const flags = ['--watch', '--out', join(folder, 'slow'), '--exec-after', 'echo begun; exec sleep 6']
    const watching = start(['creds', '--role', 'app', ...flags], env)
    running = watching
    await watching.until(/begun/)
    const began = Date.now()
    watching.child.kill('SIGTERM')
    await once(watching.child, 'exit')
    expect(Date.now() - began).toBeLessThan(4_000)
  })

  it('creds leaves nothing when nobody reads it', async () => {
    const printing = start(['creds', '--role', 'app'], env)
    printing.child.stdout?.destroy()
    expect(await printing.ended).toBe(141)
    expect(await servers.engine.users()).toEqual([])
  })

  it('creds and wait leave nothing when a signal comes meanwhile', async () => {
    for (const command of ['creds', 'wait']) {
      servers.database.pause()
      const waiting = start([command, '--role', 'app'], env)
      running = waiting
      await sleep(2_000)
      waiting.child.kill('SIGTERM')
      await sleep(300)
      servers.database.resume()
      expect(await waiting.ended).toBe(143)
      await vi.waitFor(async () => expect(await servers.engine.users()).toEqual([]), patience)
    }
  })

  it('tells what went wrong as JSON too', async () => {
    const ended = await run(['creds', '--role', 'nobody', '--json'], env)
    expect(ended.code).toBe(3)
    expect(JSON.parse(ended.stdout)).toMatchObject({ error: { message: expect.stringContaining('nobody') } })
  })

  it.each([
    ['a name that is not encoded', '127.0.0.1/%zz'],
    ['a port that is none', '127.0.0.1:99999/app'],
  ])('refuses a URL with %s', async (_what, rest) => {
    expect(await creds('--url', `${kind}://${rest}`)).toMatchObject({ code: 2 })
  })

  it('creds ends when there is nothing to watch', async () => {
    const out = join(folder, 'never')
    const ended = await run(['creds', '--role', 'nobody', '--watch', '--out', out], env)
    expect(ended).toMatchObject({ code: 3, stderr: expect.stringContaining('nobody') })
    expect(existsSync(out)).toBe(false)
  })

  it('wait tells when a role gives what the database takes, and leaves nothing', async () => {
    const { code, stdout } = await run(['wait', '--role', 'app', '--json'], env)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      source: 'database/creds/app',
      place: env['VAULT_LEASE_DATABASE_URL'],
    })
    expect(await servers.engine.users()).toEqual([])
  })

  it('wait says what it could not give back', async () => {
    await servers.vault.must('PUT', 'sys/policies/acl/only', {
      policy: 'path "database/creds/*" { capabilities = ["read"] }',
    })
    const VAULT_TOKEN = await servers.engine.createToken({ policies: ['only'] })
    const { code, stderr } = await run(['wait', '--role', 'app'], { ...env, VAULT_TOKEN })
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining('lives until its lease ends'),
    })
    expect(stderr).not.toContain('Not yet')
  })

  it('wait goes on until the database is there', async () => {
    servers.database.pause()
    const waiting = start(['wait', '--role', 'app', '--timeout', '40s'], env)
    running = waiting
    await sleep(2_000)
    servers.database.resume()
    expect(await waiting.ended).toBe(0)
  })

  it('creds says that it cannot write, when it begins and later', async () => {
    const nowhere = join(folder, 'no-folder', 'creds')
    for (const more of [[], ['--watch']]) {
      const ended = await creds('--out', nowhere, ...more)
      expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('--out') })
    }
    expect(await servers.engine.users()).toEqual([])
    await servers.engine.role('app', { ttl: '4s', maxTtl: '8s' })
    const inner = mkdtempSync(join(folder, 'inner-'))
    const watching = start(['creds', '--role', 'app', '--watch', '--out', join(inner, 'creds')], env)
    running = watching
    await watching.until(/database user is/)
    rmSync(inner, { recursive: true })
    await watching.until(/could not be written/)
    watching.child.kill('SIGTERM')
    expect(await watching.ended).toBe(0)
  })

  it('wait gives up after its time: the database', async () => {
    const nowhere = `${kind}://127.0.0.1:1/app`
    const ended = await run(['wait', '--role', 'app', '--url', nowhere, '--timeout', '6s'], env)
    expect(ended).toMatchObject({ code: 4, stderr: expect.stringContaining('ECONNREFUSED') })
    expect(await servers.engine.users()).toEqual([])
  })

  it('wait gives up after its time: Vault', async () => {
    const nowhere = { ...env, VAULT_ADDR: 'http://127.0.0.1:1' }
    const ended = await run(['wait', '--role', 'app', '--timeout', '1s'], nowhere)
    expect(ended).toMatchObject({ code: 3, stderr: expect.stringContaining('ECONNREFUSED') })
  })
})
