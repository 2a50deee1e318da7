import {
  type BatchObservableCallback,
  type Meter,
  type MeterProvider,
  metrics as metricsApi,
  type Observable,
  type ObservableUpDownCounter,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import { follow } from './follow.ts'
import { buckets, counters, gauges, histograms, type Labels, type Metric } from './metrics.ts'
import { once } from './once.ts'
import { readGauges, readPools } from './read.ts'
import { traceRotations } from './traces.ts'

/** Where metrics and traces go. */
export interface Providers {
  /** Default: the global one. */
  readonly meterProvider?: MeterProvider | undefined
  /** Default: the global one. */
  readonly tracerProvider?: TracerProvider | undefined
}

const scope = '@vault-lease/metrics'

/** Names that OpenTelemetry has for what we tell. */
const conventional: Labels = { pool: 'db.client.connection.pool.name', code: 'error.type' }

/**
 * Gives the metrics and traces of all leases and pools in this process to OpenTelemetry, of those that are made later too. To be
 * called when the SDK is started. A second call with the same providers changes nothing.
 *
 * @returns what stops it.
 */
export function instrumentVaultLease(providers: Providers = {}): () => void {
  const meterProvider = providers.meterProvider ?? metricsApi.getMeterProvider()
  const tracerProvider = providers.tracerProvider ?? trace.getTracerProvider()
  const stopMetrics = once('meters', meterProvider, () => measure(meterProvider.getMeter(scope)))
  const stopTraces = once('traces', tracerProvider, () => traceRotations(tracerProvider.getTracer(scope)))
  return () => {
    stopMetrics()
    stopTraces()
  }
}

function measure(meter: Meter): () => void {
  const counting = mapped(counters, ({ name, ...options }) => meter.createCounter(name, optionsOf(options)))
  const timing = mapped(histograms, ({ name, ...options }, key) =>
    meter.createHistogram(name, {
      ...optionsOf(options),
      advice: { explicitBucketBoundaries: [...buckets[key]] },
    }),
  )
  const unfollow = follow({
    add: (counter, labels, by = 1) => counting[counter].add(by, attributesOf(labels)),
    observe: (histogram, labels, seconds) => timing[histogram].record(seconds, attributesOf(labels)),
  })
  const stopGauges = observeGauges(meter)
  const stopPools = observePools(meter)
  return () => {
    unfollow()
    stopGauges()
    stopPools()
  }
}

function observeGauges(meter: Meter): () => void {
  const observed = mapped(gauges, ({ name, ...options }) =>
    meter.createObservableGauge(name, optionsOf(options)),
  )
  return observeTogether(meter, Object.values(observed), (observe) => {
    // A credential without an end: backends take no infinity.
    for (const { gauge, labels, value } of readGauges())
      if (Number.isFinite(value)) observe(observed[gauge], value, attributesOf(labels))
  })
}

/** What the semantic conventions want of a pool, of those that are not instrumented otherwise. */
function observePools(meter: Meter): () => void {
  const sized = (name: string, unit: string, description: string): ObservableUpDownCounter =>
    meter.createObservableUpDownCounter(`db.client.connection.${name}`, { unit, description })
  const count = sized('count', '{connection}', 'Connections of the pool, used and idle')
  const max = sized('max', '{connection}', 'The most connections that the pool may have')
  const pending = sized('pending_requests', '{request}', 'Acquires that wait for a connection')
  return observeTogether(meter, [count, max, pending], (observe) => {
    for (const { pool, used, idle, waiting, max: most } of readPools()) {
      const name = attributesOf({ pool })
      observe(count, used, { ...name, 'db.client.connection.state': 'used' })
      observe(count, idle, { ...name, 'db.client.connection.state': 'idle' })
      observe(pending, waiting, name)
      if (Number.isFinite(most)) observe(max, most, name)
    }
  })
}

type Observe = (observable: Observable, value: number, attributes: Labels) => void

/** A series that is gone is 0: the SDK would repeat its last value for ever. */
function observeTogether(
  meter: Meter,
  observables: Observable[],
  read: (observe: Observe) => void,
): () => void {
  const known = new Map(observables.map((observable) => [observable, new Map<string, Labels>()]))
  const callback: BatchObservableCallback = (result) => {
    const gone = new Map(Array.from(known, ([observable, series]) => [observable, new Map(series)]))
    read((observable, value, attributes) => {
      const key = JSON.stringify(attributes)
      known.get(observable)?.set(key, attributes)
      gone.get(observable)?.delete(key)
      result.observe(observable, value, attributes)
    })
    for (const [observable, series] of gone)
      for (const attributes of series.values()) result.observe(observable, 0, attributes)
  }
  meter.addBatchObservableCallback(callback, observables)
  return () => meter.removeBatchObservableCallback(callback, observables)
}

function optionsOf({ unit, help }: Omit<Metric, 'name'>): { unit: string; description: string } {
  return { unit, description: help }
}

function attributesOf(labels: Labels): Labels {
  const named = Object.entries(labels).map(([name, value]) => [
    conventional[name] ?? `vault_lease.${name}`,
    value,
  ])
  return Object.fromEntries(named)
}

function mapped<Name extends string, Instrument>(
  metrics: Readonly<Record<Name, Metric>>,
  make: (metric: Metric, name: Name) => Instrument,
): Record<Name, Instrument> {
  const entries = (Object.entries(metrics) as [Name, Metric][]).map(([name, metric]) => [
    name,
    make(metric, name),
  ])
  return Object.fromEntries(entries)
}
