import { setTimeout as sleep } from 'node:timers/promises'
import type { LeaseManager } from '@vault-lease/core'
import { VaultPool } from '@vault-lease/pg'
import type { Servers } from '@vault-lease/testing'
import { describe, expect, it, vi } from 'vitest'
import { missing } from '../unless-missing.ts'
import { serveMetrics } from './metrics-endpoint.ts'
import { parseOptions } from './options.ts'
import { runRotating, startDemoServers } from './run.ts'

const options = parseOptions([
  ...['--adapter', 'pg', '--seconds', '24', '--workers', '6', '--ttl', '5s', '--max-ttl', '10s', '--metrics'],
])
const source = 'database/creds/rotating'
let servers: Servers | undefined
const unavailable = await missing(async () => {
  servers = await startDemoServers(options)
})

/** Rotations by hand are at 10, 13, 16, 19 and 22 s: these come over three of them. */
async function plantFaults({ vault, database, engine }: Servers, lease: LeaseManager): Promise<void> {
  const { host, port, database: name } = database
  const began = Date.now()
  const at = (ms: number): Promise<void> => sleep(began + ms - Date.now())
  // Holds a connection over the next rotation, until it is taken away.
  const pool = new VaultPool({ lease, host, port, database: name, max: 1 })
  const held = await pool.connect()
  held.on('error', () => {})
  await at(12_500)
  await vault.seal()
  await at(14_200)
  await vault.unseal()
  await at(15_700)
  await database.query(`alter database "${name}" connection limit 0`)
  await at(17_000)
  await database.query(`alter database "${name}" connection limit -1`)
  await at(20_000)
  await engine.revokePrefix('rotating')
  await at(21_000)
  held.release()
  await pool.end()
}

describe.skipIf(unavailable)('a scrape of the demo', () => {
  it('tells what the demo tells, number by number, with five rotations and three faults', async () => {
    if (!servers) return
    await using started = servers
    await using metrics = await serveMetrics()
    const scrape = async (): Promise<Scrape> => new Scrape(await (await fetch(metrics.url)).text())
    let lease: LeaseManager | undefined
    let faults: Promise<void> = Promise.resolve()
    const onLease = (ofDemo: LeaseManager): void => {
      lease = ofDemo
      faults = plantFaults(started, ofDemo)
    }
    const running = runRotating(started, options, { onLease, onResult: () => {} })
    await sleep(4_000)
    expect(lease?.status()).toMatchObject({ state: 'ready', generation: 1 })
    const calm = await scrape()
    const sealed = await vi.waitFor(
      async () => {
        const seen = await scrape()
        expect(seen.sum('vault_lease_state', { state: 'degraded' })).toBe(1)
        return seen
      },
      { timeout: 15_000, interval: 100 },
    )
    const { figures } = await running
    await faults
    const after = await scrape()

    expect(calm.sum('vault_lease_generation', { source })).toBe(1)
    expect(calm.sum('vault_lease_state', { state: 'ready' })).toBe(1)
    expect(calm.sum('vault_lease_credential_expires_seconds')).toBeGreaterThan(0)
    expect(calm.sum('vault_lease_credential_expires_seconds')).toBeLessThanOrEqual(5)
    expect(calm.sum('vault_lease_token_expires_seconds')).toBeGreaterThan(3_000)
    // Of each worker, and the one that is held.
    expect(calm.sum('vault_lease_connections', { credential: 'current' })).toBe(options.workers + 1)
    expect(calm.sum('vault_lease_pool_state', { state: 'proven' })).toBe(2)
    expect(calm.sum('vault_lease_circuit_state', { state: 'closed' })).toBe(1)
    expect(sealed.sum('vault_lease_vault_requests_total', { outcome: 'ERR_VAULT_SEALED' })).toBeGreaterThan(0)

    const { told } = figures
    expect(told?.rotations).toBe(figures.rotations + 1)
    expect(figures.rotations).toBeGreaterThanOrEqual(5)
    expect(told?.failedRotations).toBeGreaterThanOrEqual(2)
    expect(told?.stragglers).toBe(1)
    expect(told?.logins).toBeGreaterThan(figures.rotations)
    const counted = (name: string, labels: Labels = {}): number =>
      after.sum(`vault_lease_${name}_total`, labels)
    expect({
      rotations: counted('rotations', { outcome: 'success' }),
      failedRotations: counted('rotations', { outcome: 'failure' }),
      renewals: counted('renewals', { outcome: 'success' }),
      logins: counted('logins'),
      stragglers: counted('stragglers_closed'),
      expirations: counted('expirations'),
      revocations: counted('revocations', { outcome: 'success' }),
      failures: after.byLabel('vault_lease_failures_total', 'step'),
    }).toEqual(told)
    const durations = (step: string): number =>
      after.sum('vault_lease_rotation_step_duration_seconds_count', { step })
    expect(durations('publish')).toBe(told?.rotations)
    expect(durations('fetch')).toBe((told?.rotations ?? 0) + (told?.failedRotations ?? 0))
    expect(durations('revoke')).toBe(told?.revocations)
    expect(after.sum('vault_lease_vault_request_duration_seconds_count')).toBe(counted('vault_requests'))
    for (const { username } of figures.generations) expect(after.text).not.toContain(username)
    // A lease that was closed is in no state.
    expect(after.sum('vault_lease_state')).toBe(0)
    expect(after.sum('vault_lease_connections')).toBe(0)
  }, 90_000)
})

type Labels = Readonly<Record<string, string>>

/** What Prometheus would read. */
class Scrape {
  readonly #samples: { readonly name: string; readonly labels: Labels; readonly value: number }[]

  readonly text: string

  constructor(text: string) {
    this.text = text
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    this.#samples = lines.map((line) => {
      const [, name = '', labels = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
      const pairs = labels.matchAll(/(\w+)="([^"]*)"/g)
      return {
        name,
        labels: Object.fromEntries(Array.from(pairs, ([, key, text]) => [key, text])),
        value: Number(value),
      }
    })
  }

  sum(name: string, labels: Labels = {}): number {
    const wanted = Object.entries(labels)
    const found = this.#samples.filter(
      (sample) => sample.name === name && wanted.every(([key, text]) => sample.labels[key] === text),
    )
    return found.reduce((total, { value }) => total + value, 0)
  }

  byLabel(name: string, label: string): Record<string, number> {
    const values = this.#samples.flatMap((sample) =>
      sample.name === name ? (sample.labels[label] ?? '') : [],
    )
    return Object.fromEntries(
      [...new Set(values)].map((value) => [value, this.sum(name, { [label]: value })]),
    )
  }
}
