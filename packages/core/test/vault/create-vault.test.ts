import { describe, expect, it, vi } from 'vitest'
import { token } from '../../src/vault/auth/token.ts'
import { createVaultOn } from '../../src/vault/create-vault.ts'
import { readVaultConfig } from '../../src/vault/vault-config.ts'
import { asVault, reply, startHttpServer } from '../http-server.ts'
import { ManualClock } from '../manual-clock.ts'

describe('a Vault', () => {
  it('sets no timer and opens nothing before it is asked', () => {
    const before = process.getActiveResourcesInfo()
    const clock = new ManualClock()
    createVaultOn(readVaultConfig({ auth: token('t'), rateLimit: { rate: 1 } }, {}), {
      clock,
      random: () => 0.5,
    })
    expect(clock.scheduled).toBe(0)
    expect(process.getActiveResourcesInfo()).toEqual(before)
  })

  it('waits between two attempts on the clock, and as long as the random says, that it was given', async () => {
    const sealed = asVault((_request, response) => reply(response, 503, { errors: ['Vault is sealed'] }))
    await using server = await startHttpServer(sealed)
    const clock = new ManualClock()
    const { address } = server
    const config = readVaultConfig({ address, auth: token('t'), maxRetries: 1 }, {})
    await using vault = createVaultOn(config, { clock, random: () => 1 })
    const outcome = vault.send({ method: 'GET', path: 'x' }).catch(({ code }) => code)
    const asked = (): number => server.requests.filter(({ url }) => url === '/v1/x').length
    // The limit of the attempt is gone, and the wait for the next one has begun.
    await vi.waitFor(() => expect([asked(), clock.scheduled, clock.pending]).toEqual([1, 3, 1]))
    await clock.advance(199)
    expect(asked()).toBe(1)
    await clock.advance(1)
    expect(await outcome).toBe('ERR_VAULT_SEALED')
    expect(asked()).toBe(2)
  })
})
