import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type DatabaseServer, startPostgres, startVault, type VaultServer } from '@vault-lease/testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ServerProcess, temporaryFolder } from '../src/server-process.ts'
import { isRunning, lineFrom, printedBy, runChild } from './child.ts'

describe('servers', () => {
  let postgres: DatabaseServer
  let vault: VaultServer
  beforeAll(async () => {
    const both = await Promise.all([startPostgres(), startVault({ storage: 'raft' })])
    postgres = both[0]
    vault = both[1]
  })
  afterAll(() => Promise.all([postgres?.stop(), vault?.stop()]))

  const health = async (): Promise<number> => (await vault.call('GET', 'sys/health')).status

  it('two of each kind at once do not meet', async () => {
    const others = await Promise.all([startPostgres(), startVault()])
    await using otherPostgres = others[0]
    await using otherVault = others[1]
    await otherPostgres.query('create table mine (id int)')
    await expect(postgres.query('select * from mine')).rejects.toThrow('does not exist')
    expect(otherVault.address).not.toBe(vault.address)
    expect((await otherVault.call('GET', 'sys/mounts', undefined, { token: vault.token })).status).toBe(403)
  })

  it('programs that a superuser runs on the server find nothing of our environment', async () => {
    vi.stubEnv('VAULT_TOKEN', 'hvs.of-the-caller')
    await using other = await startPostgres()
    await other.query('create table environment (line text)')
    await other.query(`copy environment from program 'env' (format csv, delimiter e'\\x01', quote e'\\x02')`)
    const lines = await other.query<{ line: string }>('select line from environment')
    const environment = lines.map(({ line }) => line)
    expect(environment.join()).toMatch(/PATH=/)
    const home = environment.find((line) => line.startsWith('HOME='))
    // What a program is killed over, such as where a plugin of Vault's listens, goes with the folder.
    expect(environment).toContain(home?.replace('HOME', 'TMPDIR'))
    expect(environment.filter((line) => /hvs|VAULT|HOME=\/root/.test(line))).toEqual([])
    vi.unstubAllEnvs()
  })

  it('the superuser has another password in each process', async () => {
    vi.resetModules()
    const elsewhere = await import('../src/postgres.ts')
    const { superuser } = elsewhere.ownConnection(postgres.port)
    expect(superuser.password).toMatch(/^[\w-]{32}$/)
    const { host, port, database } = postgres
    const client = new pg.Client({ host, port, database, ...superuser })
    await expect(client.connect()).rejects.toMatchObject({ code: '28P01' })
  })

  it('PostgreSQL is killed and started again at the same address, with its data', async () => {
    await postgres.query('create table kept as select 1 as id')
    await postgres.kill()
    await expect(postgres.query('select 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await postgres.start()
    await postgres.restart('fast')
    expect(await postgres.query('select id from kept')).toEqual([{ id: 1 }])
  })

  it('a paused PostgreSQL answers nobody, not even on an open connection, until it is resumed', async () => {
    const { host, port, database, superuser } = postgres
    const client = new pg.Client({ host, port, database, ...superuser })
    await client.connect()
    postgres.pause()
    const answer = client.query('select 1').then(() => 'answered')
    expect(await Promise.race([answer, sleep(300, 'silence')])).toBe('silence')
    postgres.resume()
    expect(await answer).toBe('answered')
    await client.end()
  })

  it('a paused PostgreSQL can be stopped', async () => {
    const paused = await startPostgres()
    paused.pause()
    await paused.stop()
  })

  it('Vault is sealed and unsealed, paused and resumed', async () => {
    await vault.seal()
    expect(await health()).toBe(503)
    await vault.unseal()
    expect(await health()).toBe(200)
    vault.pause()
    const answer = health()
    expect(await Promise.race([answer, sleep(300, 'silence')])).toBe('silence')
    vault.resume()
    expect(await answer).toBe(200)
  })

  it('Vault on raft is killed and started again with what it knew', async () => {
    await vault.must('PUT', 'sys/policies/acl/kept', { policy: 'path "kept" { capabilities = ["read"] }' })
    await vault.kill()
    await expect(health()).rejects.toThrow()
    await vault.start()
    expect((await vault.call('GET', 'sys/policies/acl/kept')).status).toBe(200)
  })

  it('Vault in memory says at once that it has nothing to come back with', async () => {
    await using forgetful = await startVault()
    await forgetful.kill()
    await expect(forgetful.start()).rejects.toThrow("storage: 'raft'")
  })

  it('a start that fails shows what the server itself said', async () => {
    const bin = mkdtempSync(join(tmpdir(), 'failing-'))
    chmodSync(bin, 0o755)
    for (const name of ['initdb', 'bao']) fakeServer(join(bin, name), `${name} does not like it here`)
    fakeServer(join(bin, 'postgres'), 'unreachable')
    const failures = await printedBy(
      runChild('fails-to-start.ts', { PATH: `${bin}:${process.env['PATH']}` }),
    ).finally(() => rmSync(bin, { recursive: true }))
    expect(failures).toEqual([
      expect.stringContaining('initdb does not like it here'),
      expect.stringContaining('bao does not like it here'),
    ])
  })

  it('a port in use is named by the log of the server', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const address = taken.address()
    const port = typeof address === 'object' ? address?.port : undefined
    const folder = temporaryFolder()
    const script = `require('node:http').createServer().listen(${port}, '127.0.0.1')`
    const starting = ServerProcess.start({
      name: 'late',
      command: process.execPath,
      args: ['-e', script],
      folder: folder.path,
      ready: () => Promise.reject(new Error('not yet')),
    })
    await expect(starting).rejects.toThrow(/late did not start. Its log ends so:[\s\S]*EADDRINUSE/)
    folder.remove()
    taken.close()
  })

  it('nothing outlives a process that is killed with SIGKILL, not even what it has paused', async () => {
    const child = runChild('starts-both.ts')
    const { port, address, data, pids } = JSON.parse(await lineFrom(child))
    expect(existsSync(data)).toBe(true)
    child.kill('SIGKILL')
    await expect.poll(() => existsSync(data), { timeout: 5_000 }).toBe(false)
    await expect(fetch(address)).rejects.toThrow()
    expect(pids.length).toBeGreaterThan(3)
    await expect.poll(() => pids.filter(isRunning), { timeout: 5_000 }).toEqual([])
    const client = new pg.Client({ host: '127.0.0.1', port, ...postgres.superuser })
    await expect(client.connect()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  it('works on servers that the environment names, which it cannot stop', async () => {
    const { host, port, database, superuser } = postgres
    const seen = await printedBy(
      runChild('uses-both.ts', {
        VAULT_LEASE_TEST_POSTGRES_URL: `postgres://${superuser.user}:${superuser.password}@${host}:${port}/${database}`,
        VAULT_LEASE_TEST_VAULT_ADDR: vault.address,
        VAULT_LEASE_TEST_VAULT_TOKEN: vault.token,
      }),
    )
    const refused = expect.stringContaining('cannot be stopped from here')
    expect(seen).toEqual({ port, address: vault.address, users: 1, refused })
    expect(await health()).toBe(200)
  })
})

function fakeServer(path: string, message: string): void {
  writeFileSync(path, `#!/bin/sh\necho "${message}" >&2\nexit 1\n`, { mode: 0o755 })
}
