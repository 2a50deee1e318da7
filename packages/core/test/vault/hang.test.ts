import { afterEach, describe, expect, it } from 'vitest'
import { createLeaseOn } from '../../src/lease/create-lease.ts'
import type { LeaseManager } from '../../src/lease/manager.ts'
import { token } from '../../src/vault/auth/token.ts'
import { createVaultOn } from '../../src/vault/create-vault.ts'
import { readVaultConfig } from '../../src/vault/vault-config.ts'
import type { VaultOptions } from '../../src/vault/vault-options.ts'
import type { VaultServer } from '../../src/vault/vault-server.ts'
import { asVault, reply, startHttpServer } from '../http-server.ts'
import { ManualClock } from '../manual-clock.ts'

const second = 1_000
const random = () => 0.5
const credential = {
  lease_id: 'database/creds/app/1',
  lease_duration: 3_600,
  renewable: true,
  data: { username: 'v-app', password: 'p' },
}

describe('a Vault that hangs', () => {
  const opened: AsyncDisposable[] = []
  afterEach(async () => {
    for (const each of opened.splice(0)) await each[Symbol.asyncDispose]()
  })

  async function hanging(answers: number, options: VaultOptions = {}) {
    const clock = new ManualClock()
    let left = answers
    const server = await startHttpServer(
      asVault((_request, response) => {
        if (left-- > 0) reply(response, 200, credential)
      }),
    )
    const config = readVaultConfig(
      { address: server.address, auth: token('s.t'), maxRetries: 0, ...options },
      {},
    )
    const vault = createVaultOn(config, { clock, random })
    const lease = createLeaseOn({ role: 'app', vault }, { clock, env: {}, random })
    opened.push(server)
    return { clock, server, vault, lease }
  }

  /** Requests need real time to be on their way before the clock goes on. */
  async function until(
    condition: () => boolean,
    clock: ManualClock,
    stepMs: number,
    limitMs: number,
  ): Promise<number> {
    const began = clock.now()
    while (!condition() && clock.now() - began < limitMs) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      await clock.advance(stepMs)
    }
    return clock.now() - began
  }

  it('is left alone after as many attempts as the circuit allows, though each was given up before its request', async () => {
    const { clock, lease, vault, server } = await hanging(0, { circuitBreaker: { failures: 3 } })
    lease.ready().catch(() => {})
    const tookMs = await until(() => vault.circuit === 'open', clock, 250, 120 * second)
    expect(vault.circuit).toBe('open')
    expect(tookMs).toBeLessThan(60 * second)
    const asked = server.requests.filter(({ url }) => url.includes('creds')).length
    expect(asked).toBe(3)
    expect(lease.status()).toMatchObject({ circuit: 'open', lastError: expect.stringContaining('answer') })
    const closing = lease.close()
    await until(() => lease.status().state === 'closed', clock, 250, 30 * second)
    await closing
  })

  it('holds up the close of a lease, and that of the Vault, for 5 s each', async () => {
    const { clock, lease, vault } = await hanging(1)
    await lease.ready()
    const closed = await timeOf(lease, clock)
    expect(closed).toBeLessThanOrEqual(6 * second)
    expect(await timeOf(vault, clock)).toBeLessThanOrEqual(6 * second)
  })

  it('holds it up no longer in the middle of a rotation', async () => {
    const { clock, lease, vault } = await hanging(1)
    await lease.ready()
    lease.rotate().catch(() => {})
    await until(() => false, clock, 100, second)
    expect(await timeOf(lease, clock)).toBeLessThanOrEqual(8 * second)
    expect(await timeOf(vault, clock)).toBeLessThanOrEqual(6 * second)
  })

  async function timeOf(closing: LeaseManager | VaultServer, clock: ManualClock): Promise<number> {
    let over = false
    const closed = closing.close().then(
      () => (over = true),
      () => (over = true),
    )
    const tookMs = await until(() => over, clock, 250, 60 * second)
    await closed
    return tookMs
  }
})
