import { channel } from 'node:diagnostics_channel'
import { CredentialNotProvenError } from '@vault-lease/core'
import { promtool } from '@vault-lease/testing'
import { type MetricObjectWithValues, type MetricValue, Registry } from 'prom-client'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { collectVaultLease } from '../src/prometheus.ts'
import { leaseOfFunction, poolOn, secret } from './leases.ts'

const source = 'the credential function'
const subscribers = (name: string): boolean => channel(`vault-lease:${name}`).hasSubscribers

describe('the metrics of Prometheus', () => {
  const opened: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close()
  })

  function setUp() {
    const register = new Registry()
    opened.push(collectVaultLease(register))
    const lease = leaseOfFunction()
    opened.push(() => lease.close())
    return { register, lease }
  }

  it('tell of a lease and its pools, whenever those were made', async () => {
    const early = leaseOfFunction()
    opened.push(() => early.close())
    await early.ready()
    const { register, lease } = setUp()
    const connections = [
      { generation: 1, open: 2 },
      { generation: 2, open: 3 },
    ]
    const { attachment, place: pool } = poolOn(lease, { usage: () => ({ connections }) })
    const other = poolOn(lease, { usage: () => ({ connections }) })
    const { username, password } = await attachment.credential()
    attachment.accepted(await other.attachment.credential())
    await lease.rotate()
    const text = await register.metrics()
    // The early one is in its first generation still.
    expect(await series(register, 'vault_lease_generation')).toEqual([{ source, value: 2 }])
    expect(await series(register, 'vault_lease_credential_expires_seconds')).toEqual([
      { source, value: Number.POSITIVE_INFINITY },
    ])
    expect(await series(register, 'vault_lease_state')).toContainEqual({ source, state: 'ready', value: 2 })
    expect(await series(register, 'vault_lease_state')).toContainEqual({ source, state: 'expired', value: 0 })
    expect(await series(register, 'vault_lease_connections')).toEqual([
      { source, pool, credential: 'current', value: 6 },
      { source, pool, credential: 'old', value: 4 },
    ])
    expect(await series(register, 'vault_lease_pool_state')).toContainEqual({
      source,
      pool,
      state: 'proven',
      value: 2,
    })
    expect(await happened(register, 'vault_lease_rotations_total')).toEqual([
      { source, outcome: 'success', reason: 'start', value: 1 },
      { source, outcome: 'success', reason: 'manual', value: 1 },
    ])
    for (const step of ['fetch', 'prove', 'publish'])
      expect(text).toContain(
        `vault_lease_rotation_step_duration_seconds_count{source="${source}",step="${step}",outcome="success"} 2`,
      )
    expect(password).toBe(secret)
    for (const hidden of [secret, username]) expect(text).not.toContain(hidden)
  })

  it('count what fails, and what is closed under its holder', async () => {
    const { register, lease } = setUp()
    const refusal = new CredentialNotProvenError('no', { refused: false })
    const prove = vi.fn<() => Promise<'accepted'>>(async () => 'accepted')
    const { attachment, place: pool } = poolOn(lease, {
      prove,
      retire: async () => ({ closed: 0, forced: 3 }),
    })
    attachment.loggedIn(await attachment.credential())
    expect(await happened(register, 'vault_lease_failures_total')).toEqual([])
    prove.mockRejectedValue(refusal)
    await expect(lease.rotate()).rejects.toBe(refusal)
    expect(await happened(register, 'vault_lease_failures_total')).toEqual([
      { source, step: 'prove', code: 'ERR_CREDENTIAL_NOT_PROVEN', value: 1 },
    ])
    expect(await happened(register, 'vault_lease_rotations_total')).toContainEqual({
      source,
      outcome: 'failure',
      reason: 'manual',
      value: 1,
    })
    prove.mockResolvedValue('accepted')
    await lease.rotate()
    await vi.waitFor(async () =>
      expect(await happened(register, 'vault_lease_stragglers_closed_total')).toEqual([{ source, value: 3 }]),
    )
    expect(await happened(register, 'vault_lease_logins_total')).toEqual([{ source, pool, value: 1 }])
  })

  it('count from 0, so that the first failure is a rise', async () => {
    const { register, lease } = setUp()
    await lease.ready()
    expect(await series(register, 'vault_lease_rotations_total')).toContainEqual({
      source,
      outcome: 'failure',
      reason: 'renewal-failed',
      value: 0,
    })
    for (const name of ['stragglers_closed', 'expirations'])
      expect(await series(register, `vault_lease_${name}_total`)).toEqual([{ source, value: 0 }])
  })

  it('lose a lease that was closed, but not what it came to', async () => {
    const { register, lease } = setUp()
    await lease.ready()
    await lease.close()
    for (const gauge of ['state', 'generation', 'connections'])
      expect(await series(register, `vault_lease_${gauge}`)).toEqual([])
    expect(await happened(register, 'vault_lease_rotations_total')).toHaveLength(1)
  })

  it('are there once however often they are asked for, and are gone when they are stopped', async () => {
    const { register, lease } = setUp()
    const stop = collectVaultLease(register)
    vi.resetModules()
    const copy = await import('../src/prometheus.ts')
    expect(copy.collectVaultLease(register)).toBe(stop)
    await lease.ready()
    expect(await happened(register, 'vault_lease_rotations_total')).toMatchObject([{ value: 1 }])
    stop()
    stop()
    expect(await register.metrics()).toBe('\n')
    expect(subscribers('rotation')).toBe(false)
    await lease.rotate()
    collectVaultLease(register)
    expect(await happened(register, 'vault_lease_rotations_total')).toEqual([])
    collectVaultLease(register)()
    expect(subscribers('rotation')).toBe(false)
  })

  it('satisfy promtool', async () => {
    const { register, lease } = setUp()
    const { attachment } = poolOn(lease)
    attachment.loggedIn(await attachment.credential())
    expect(await promtool(['check', 'metrics'], await register.metrics())).toBe('')
  })
})

/** The series of a metric, each with its labels and value. */
async function series(register: Registry, name: string): Promise<object[]> {
  const all: MetricObjectWithValues<MetricValue<string>>[] = await register.getMetricsAsJSON()
  const values = all.find((metric) => metric.name === name)?.values ?? []
  return values.map(({ labels, value }) => ({ ...labels, value }))
}

/** Those that are not 0. */
async function happened(register: Registry, name: string): Promise<object[]> {
  return (await series(register, name)).filter((each) => !('value' in each) || each.value !== 0)
}
