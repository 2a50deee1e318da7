import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startVaultAgent } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { leaseOf, type Servers, startServers } from '../servers.ts'

describe('a file that a real Agent renders', () => {
  let servers: Servers
  let folder: string

  beforeAll(async () => {
    servers = await startServers()
    folder = mkdtempSync(join(tmpdir(), 'vault-lease-agent-'))
    await servers.engine.role('brief', { ttl: '3s', maxTtl: '6s' })
  })
  afterAll(async () => {
    await servers?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  it('gives one credential after another, each while its user can log in', async () => {
    const destination = join(folder, 'db.env')
    const contents = `{{ with secret "database/creds/brief" }}export DB_USERNAME="{{ .Data.username }}"
export DB_PASSWORD="{{ .Data.password }}"{{ end }}`
    await using _agent = await startVaultAgent({
      vault: servers.vault.address,
      login: await servers.engine.createAppRole(),
      templates: [{ destination, contents }],
    })
    await using lease = leaseOf({ role: undefined, credentialFile: destination })
    await vi.waitFor(() => lease.ready(), { timeout: 5_000 })
    const users = new Set<string>()
    for (const end = Date.now() + 12_000; Date.now() < end; await sleep(50)) {
      const { username } = await lease.credential()
      users.add(username)
      expect(await servers.engine.users()).toContain(username)
    }
    expect(users.size).toBeGreaterThanOrEqual(3)
  })
})
