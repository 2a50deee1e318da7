import {
  type CircuitState,
  type LeaseState,
  type LeaseStatus,
  type PlaceState,
  type PlaceStatus,
  type RotationReason,
  statusOfOpenLeases,
} from '@vault-lease/core'
import type { CounterName, GaugeName, Labels } from './metrics.ts'

/** One series of a gauge at this moment. */
export interface Reading {
  readonly gauge: GaugeName
  readonly labels: Labels
  readonly value: number
}

/** A pool that no other instrumentation tells of, by what OpenTelemetry wants to know of it. */
export interface PoolReading {
  readonly pool: string
  readonly used: number
  readonly idle: number
  readonly waiting: number
  readonly max: number
}

const leaseStates: readonly LeaseState[] = ['starting', 'ready', 'rotating', 'degraded', 'expired', 'closing']
const circuitStates: readonly CircuitState[] = ['closed', 'open', 'half-open']
const placeStates: readonly PlaceState[] = ['unproven', 'proven', 'refused']
const reasons: readonly RotationReason[] = [
  'start',
  'age',
  'max-ttl',
  'renewal-failed',
  'token',
  'lease-gone',
  'refused',
  'changed',
  'wake-up',
  'manual',
]
const outcomes = ['success', 'failure']

/** Every gauge of all open leases at this moment, one reading for each series. */
export function readGauges(): Reading[] {
  const series = new Series()
  for (const lease of statusOfOpenLeases()) readLease(series, lease)
  return series.readings
}

/** The counters that begin at 0 with the lease, and not with the first time that something happens: who looks for a rise sees that one too. */
export function zeroCounters(): { readonly counter: CounterName; readonly labels: Labels }[] {
  return statusOfOpenLeases().flatMap(({ source, places }) => [
    { counter: 'stragglers' as const, labels: { source } },
    { counter: 'expirations' as const, labels: { source } },
    ...places.map(({ place: pool }) => ({ counter: 'logins' as const, labels: { source, pool } })),
    ...outcomes.flatMap((outcome) => [
      { counter: 'renewals' as const, labels: { source, outcome } },
      { counter: 'revocations' as const, labels: { source, outcome } },
      ...reasons.map((reason) => ({ counter: 'rotations' as const, labels: { source, outcome, reason } })),
    ]),
  ])
}

/** The pools of all open leases that tell how they are used; those of one place are summed. */
export function readPools(): PoolReading[] {
  const pools = new Map<string, PoolReading>()
  for (const { place: pool, usage } of statusOfOpenLeases().flatMap(({ places }) => places)) {
    if (!usage?.load) continue
    const { idle, waiting, max } = usage.load
    const open = usage.connections.reduce((sum, each) => sum + each.open, 0)
    const before = pools.get(pool) ?? { used: 0, idle: 0, waiting: 0, max: 0 }
    pools.set(pool, {
      pool,
      used: before.used + Math.max(0, open - idle),
      idle: before.idle + idle,
      waiting: before.waiting + waiting,
      max: before.max + max,
    })
  }
  return [...pools.values()]
}

function readLease(series: Series, lease: LeaseStatus): void {
  const { source, state, generation, token, circuit, places } = lease
  series.highest('generation', { source }, generation)
  const expiresMs = state === 'expired' ? 0 : lease.expiresInMs
  if (expiresMs !== undefined) series.lowest('credentialExpires', { source }, expiresMs / 1_000)
  if (token?.expiresInMs !== undefined) series.lowest('tokenExpires', { source }, token.expiresInMs / 1_000)
  for (const each of leaseStates) series.sum('state', { source, state: each }, Number(each === state))
  if (circuit)
    for (const each of circuitStates)
      series.sum('circuitState', { source, state: each }, Number(each === circuit))
  for (const place of places) readPlace(series, lease, place)
}

function readPlace(series: Series, { source, state }: LeaseStatus, place: PlaceStatus): void {
  const { place: pool, generation, usage } = place
  for (const each of placeStates)
    series.sum('poolState', { source, pool, state: each }, Number(each === place.state))
  if (!usage) return
  const counts = { current: 0, old: 0 }
  // Before the first credential is in force one may be open that tries it.
  for (const { generation: of, open } of usage.connections)
    counts[of < generation || state === 'expired' ? 'old' : 'current'] += open
  for (const [credential, open] of Object.entries(counts))
    series.sum('connections', { source, pool, credential }, open)
}

/** What is said twice of one series comes to one reading. */
class Series {
  readonly #readings = new Map<string, Reading>()

  get readings(): Reading[] {
    return [...this.#readings.values()]
  }

  sum(gauge: GaugeName, labels: Labels, value: number): void {
    this.#note(gauge, labels, value, (before) => before + value)
  }

  lowest(gauge: GaugeName, labels: Labels, value: number): void {
    this.#note(gauge, labels, value, (before) => Math.min(before, value))
  }

  highest(gauge: GaugeName, labels: Labels, value: number): void {
    this.#note(gauge, labels, value, (before) => Math.max(before, value))
  }

  #note(gauge: GaugeName, labels: Labels, value: number, join: (before: number) => number): void {
    const key = JSON.stringify([gauge, labels])
    const before = this.#readings.get(key)
    this.#readings.set(key, { gauge, labels, value: before ? join(before.value) : value })
  }
}
