import { setTimeout as sleep } from 'node:timers/promises'
import nodeVault from 'node-vault'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createLeaseOn } from '../../src/lease/create-lease.ts'
import type { LeaseManager } from '../../src/lease/manager.ts'
import { systemClock } from '../../src/resilience/clock.ts'
import { issuedLease, renewedLease } from '../../src/source/lease.ts'
import type { CredentialSource } from '../../src/source/source.ts'
import { token } from '../../src/vault/auth/token.ts'
import { createVaultOn } from '../../src/vault/create-vault.ts'
import { readVaultConfig } from '../../src/vault/vault-config.ts'
import { asVault, reply, startHttpServer } from '../http-server.ts'
import { managerOf } from '../manager-of.ts'
import { ManualClock } from '../manual-clock.ts'

const second = 1_000

describe('how plain node-vault 0.12 keeps a lease alive and core does not', () => {
  afterEach(() => void vi.useRealTimers())

  it('renews a lease of 768 h without a pause, because the timer overflows (defect 2)', async () => {
    const lease = { lease_id: 'database/creds/app/1', lease_duration: 768 * 3_600, renewable: true }
    await using server = await startHttpServer(
      asVault((_request, response) =>
        reply(response, 200, { ...lease, data: { username: 'v-app', password: 'p' } }),
      ),
    )
    const renewals = () => server.requests.filter(({ url }) => url.endsWith('/sys/leases/renew')).length
    const ours = leaseOn(server.address)
    await ours.ready()
    await sleep(300)
    expect(ours.status().next).toEqual({ do: 'renew', inMs: expect.closeTo(512 * 3_600 * second, -9) })
    expect(renewals()).toBe(0)
    await ours.close()

    const plain = nodeVault({ endpoint: server.address, token: 'a-token' })
    vi.spyOn(process, 'emitWarning').mockReturnValue(undefined)
    const before = server.requests.length
    plain.startLeaseRenewal(lease.lease_id, lease.lease_duration)
    await sleep(300)
    plain.stopAllRenewals()
    expect(server.requests.length - before).toBeGreaterThan(10)
  })

  it('renews each second near max TTL until the lease is gone, and never replaces it (defect 11)', async () => {
    const clock = new ManualClock()
    const forOurs = new ShortLivedVault(() => clock.now())
    const ours = managerOf({
      source: sourceOn(forOurs, clock),
      clock,
      random: () => 0.5,
      drainTimeoutMs: second,
    })
    await ours.ready()
    await clock.advance(60 * second)
    await ours.close()
    expect(forOurs.renewalsAfterTheCut).toBe(0)
    expect(forOurs.leases.length).toBeGreaterThanOrEqual(3)

    vi.useFakeTimers()
    const began = Date.now()
    const forPlain = new ShortLivedVault(() => Date.now() - began)
    const plain = nodeVault({ 'request-promise': { defaults: () => answerFrom(forPlain) } })
    const { lease_id, lease_duration } = await plain.read('database/creds/app')
    plain.startLeaseRenewal(lease_id, lease_duration)
    const gone = new Promise<void>((resolve) => plain.on('lease:error:renew', resolve))
    await vi.advanceTimersByTimeAsync(60 * second)
    await gone
    expect(forPlain.renewalsAfterTheCut).toBeGreaterThan(2)
    expect(forPlain.leases).toHaveLength(1)
  })
})

/** Leases of 10 s that a max TTL of 30 s cuts. */
class ShortLivedVault {
  readonly leases: { readonly createdAt: number; cut: boolean }[] = []
  renewalsAfterTheCut = 0
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  create(): { lease_id: string; lease_duration: number; renewable: boolean } {
    this.leases.push({ createdAt: this.#now(), cut: false })
    return { lease_id: String(this.leases.length - 1), lease_duration: 10, renewable: true }
  }

  /** The seconds granted; 0 when the lease is gone. */
  renew(id: string): number {
    const lease = this.leases[Number(id)]
    if (!lease) return 0
    if (lease.cut) this.renewalsAfterTheCut++
    const rest = Math.floor((lease.createdAt + 30 * second - this.#now()) / second)
    lease.cut = rest < 10
    return Math.max(0, Math.min(10, rest))
  }
}

function sourceOn(vault: ShortLivedVault, clock: ManualClock): CredentialSource {
  const grant = (seconds: number) => ({
    sentAt: clock.now(),
    durationMs: seconds * second,
    renewable: true,
  })
  return {
    description: 'database/creds/app',
    async fetch() {
      const { lease_id, lease_duration } = vault.create()
      const lease = issuedLease(lease_id, grant(lease_duration))
      return { username: `v-${lease_id}`, password: 'p', lease, tokenFacts: () => undefined }
    },
    renew: async (lease) => renewedLease(lease, grant(vault.renew(lease.id))),
    shorten: async () => {},
    revoke: async () => {},
    revokeInBackground: async () => {},
    renewToken: async () => {},
    close: async () => {},
  }
}

function answerFrom(vault: ShortLivedVault) {
  return async ({ path, json }: { path: string; json: { lease_id: string } }) => {
    if (path.endsWith('/creds/app')) return { statusCode: 200, body: vault.create(), request: { path } }
    const granted = vault.renew(json.lease_id)
    return granted > 0
      ? { statusCode: 200, body: { lease_duration: granted, renewable: true }, request: { path } }
      : { statusCode: 400, body: { errors: ['lease not found'] }, request: { path } }
  }
}

function leaseOn(address: string): LeaseManager {
  const surroundings = { clock: systemClock, env: {}, random: () => 0.5 }
  return createLeaseOn(
    {
      vault: createVaultOn(readVaultConfig({ address, auth: token('a-token') }, {}), surroundings),
      role: 'app',
    },
    surroundings,
  )
}
