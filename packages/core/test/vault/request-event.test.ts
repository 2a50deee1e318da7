import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { token } from '../../src/vault/auth/token.ts'
import { createVaultOn } from '../../src/vault/create-vault.ts'
import { operationOf, type VaultRequestEvent } from '../../src/vault/request-event.ts'
import { readVaultConfig } from '../../src/vault/vault-config.ts'
import { asVault, nobodyListens, reply, startHttpServer } from '../http-server.ts'
import { ManualClock } from '../manual-clock.ts'
import { vaultOf } from '../servers.ts'

describe('a request to Vault', () => {
  const told: VaultRequestEvent[] = []
  const hear = (event: unknown): void => void told.push(event as VaultRequestEvent)
  beforeEach(() => subscribe('vault-lease:request', hear))
  afterEach(() => {
    unsubscribe('vault-lease:request', hear)
    told.length = 0
  })

  it('is told with what it was for, what came of it and how long it took, each repetition too', async () => {
    let answers = 0
    await using server = await startHttpServer(
      asVault((_request, response) => {
        if (answers++ > 0) reply(response, 200, {})
        else reply(response, 503, { errors: ['Vault is sealed'] })
      }),
    )
    const { address } = server
    await using vault = vaultOf({ address, auth: token('s.secret'), maxRetries: 1 })
    await vault.send({ method: 'GET', path: 'database/creds/app' })
    expect(told).toEqual([
      { address, operation: 'token-lookup', outcome: 'success', tookMs: expect.any(Number) },
      { address, operation: 'credential', outcome: 'ERR_VAULT_SEALED', tookMs: expect.any(Number) },
      { address, operation: 'credential', outcome: 'success', tookMs: expect.any(Number) },
    ])
    expect(JSON.stringify(told)).not.toContain('s.secret')
  })

  it('is told once for each server of a cluster that was asked, and when it is given up', async () => {
    const clock = new ManualClock()
    await using server = await startHttpServer(asVault(() => {}))
    const address = [await nobodyListens(), server.address]
    const config = readVaultConfig({ address, auth: token('s.t'), maxRetries: 0 }, {})
    await using vault = createVaultOn(config, { clock, random: Math.random })
    const given = new AbortController()
    const sending = vault.send({ method: 'GET', path: 'app/creds/x', signal: given.signal })
    while (server.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    given.abort(new Error('enough'))
    await expect(sending).rejects.toThrow('enough')
    expect(told.map(({ operation, outcome }) => `${operation} ${outcome}`)).toEqual([
      'token-lookup ERR_VAULT_UNREACHABLE',
      'token-lookup success',
      'credential aborted',
    ])
  })

  it.each([
    ['database/creds/app', 'credential'],
    ['teams/a/database/static-creds/app', 'credential'],
    ['sys/leases/renew', 'lease-renew'],
    ['sys/leases/revoke', 'lease-revoke'],
    ['auth/kubernetes/login', 'login'],
    ['auth/token/renew-self', 'token-renew'],
    ['auth/token/revoke-self', 'token-revoke'],
    ['sys/wrapping/unwrap', 'unwrap'],
    ['kv/data/app', 'other'],
  ])('at %s is for: %s', (path, operation) => {
    expect(operationOf(path)).toBe(operation)
  })
})
