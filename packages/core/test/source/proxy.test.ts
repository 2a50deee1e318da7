import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { startVaultAgent, type VaultAgent } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import type { LeaseManager } from '../../src/lease/manager.ts'
import { none } from '../../src/vault/auth/none.ts'
import { joined, quietConsumer, refuse } from '../manager-of.ts'
import { leaseOf, type Servers, startServers, vaultOf } from '../servers.ts'

describe('a real caching Proxy before Vault', () => {
  let servers: Servers
  let proxy: VaultAgent
  const opened: LeaseManager[] = []

  beforeAll(async () => {
    servers = await startServers()
    await servers.engine.role('brief', { ttl: '6s', maxTtl: '9s' })
    proxy = await startVaultAgent({
      vault: servers.vault.address,
      login: await servers.engine.createAppRole(),
      cache: true,
    })
  })
  afterAll(async () => {
    await proxy?.stop()
    await servers?.[Symbol.asyncDispose]()
  })
  afterEach(() => Promise.all(opened.splice(0).map((lease) => lease.close())))

  function lease(role: string): LeaseManager {
    const vault = vaultOf({ address: proxy.address, auth: none() })
    const made = leaseOf({ vault, role })
    opened.push(made)
    return made
  }

  const usersOf = async (role: string): Promise<string[]> =>
    (await servers.engine.users()).filter((username) => username.includes(`-${role}-`))

  it('gives two processes one lease, which both follow when the proxy replaces it', async () => {
    const one = lease('brief')
    await using other = followInAnotherProcess(proxy.address, 'brief')
    const seen: string[] = []
    for (const end = Date.now() + 25_000; Date.now() < end; await sleep(50)) {
      const { username } = await one.credential()
      if (!seen.includes(username)) seen.push(username)
      const users = await servers.engine.users()
      // It may have been replaced while the database was asked.
      if (one.current?.username === username) expect(users).toContain(username)
    }
    expect(seen.length).toBeGreaterThanOrEqual(3)
    const shared = seen.filter((username) => other.users.includes(username))
    // One of them may have been before the other, which then took a lease of its own for a while.
    expect(shared.length).toBeGreaterThanOrEqual(2)
    expect(shared.length).toBeGreaterThanOrEqual(seen.length - 2)
    expect(new Set([...seen, ...other.users]).size).toBeLessThanOrEqual(seen.length + 2)
    expect(other.failures).toEqual([])
  })

  it('has its lease left alone: neither renewed nor revoked, for others live by it', async () => {
    const one = lease('app')
    const { username } = await one.credential()
    expect(one.status().next).toMatchObject({ do: 'look' })
    await one.close()
    expect(await servers.engine.users()).toContain(username)
    const other = lease('app')
    expect(await other.credential()).toMatchObject({ username })
  })

  it('is passed by when told to rotate, though what it holds is good', async () => {
    await servers.engine.role('turned', { ttl: '60s', maxTtl: '10m' })
    const one = lease('turned')
    const { username } = await one.credential()
    expect(one.status().next).toMatchObject({ do: 'look' })
    await one.rotate()
    expect(one.current?.username).not.toBe(username)
    expect(await usersOf('turned')).toContain(username)
  })

  it('is passed by when the database refuses what it holds, though the lease lives', async () => {
    await servers.engine.role('dropped', { ttl: '60s', maxTtl: '10m' })
    const one = lease('dropped')
    const pool = joined(one, quietConsumer())
    const { username } = await pool.credential()
    expect(await refuse(pool)).toBe(true)
    expect((await one.credential()).username).not.toBe(username)
  })

  it('is passed by when the lease it holds was revoked', async () => {
    const one = lease('app')
    const pool = joined(one, quietConsumer())
    const { username } = await pool.credential()
    await servers.vault.must('PUT', 'sys/leases/revoke-prefix/database/creds/app', { sync: true })
    expect(await refuse(pool)).toBe(true)
    const second = await one.credential()
    expect(second.username).not.toBe(username)
    expect(await usersOf('app')).toEqual([second.username])
    await one.rotate()
    expect((await one.credential()).username).not.toBe(second.username)
    // What was fetched past the cache is nobody else's, and is given back.
    await one.close()
    await vi.waitFor(async () => expect(await usersOf('app')).toEqual([]), { timeout: 10_000 })
  })
})

/** Another process that follows the same role, and what it says. */
function followInAnotherProcess(
  address: string,
  role: string,
): AsyncDisposable & { readonly users: readonly string[]; readonly failures: readonly string[] } {
  const script = new URL('../following-process.ts', import.meta.url).pathname
  const child = spawn(process.execPath, ['--import', 'tsx', script, address, role], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'] },
  })
  const users: string[] = []
  const failures: string[] = []
  createInterface(child.stdout).on('line', (line) => {
    if (line.startsWith('user ')) users.push(line.slice(5))
    else failures.push(line)
  })
  return {
    users,
    failures,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}
