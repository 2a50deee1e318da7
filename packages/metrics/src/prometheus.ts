import {
  Counter,
  register as defaultRegister,
  Gauge,
  Histogram,
  type OpenMetricsContentType,
  type Registry,
} from 'prom-client'
import { follow } from './follow.ts'
import {
  buckets,
  type CounterName,
  counters,
  type GaugeName,
  gauges,
  type HistogramName,
  histograms,
  type Metric,
} from './metrics.ts'
import { once } from './once.ts'
import { readGauges, zeroCounters } from './read.ts'

type AnyRegistry = Registry | Registry<OpenMetricsContentType>

/**
 * Adds the metrics of all leases and pools in this process to a registry, those that are made later too. A second call for the
 * same registry changes nothing.
 *
 * @param register default: the default registry of prom-client.
 * @returns what takes the metrics out of the registry again.
 */
export function collectVaultLease(register: AnyRegistry = defaultRegister): () => void {
  return once('prometheus', register, () => collect(register))
}

function collect(register: AnyRegistry): () => void {
  const counting = countersIn(register)
  const timing = histogramsIn(register)
  addGauges(register)
  const unfollow = follow({
    add: (counter, labels, by) => counting[counter].inc(labels, by),
    observe: (histogram, labels, seconds) => timing[histogram].observe(labels, seconds),
  })
  return () => {
    unfollow()
    for (const metric of Object.values({ ...histograms, ...gauges }))
      register.removeSingleMetric(nameOf(metric))
    for (const metric of Object.values(counters)) register.removeSingleMetric(counterNameOf(metric))
  }
}

function countersIn(register: AnyRegistry): Record<CounterName, Counter> {
  const entries = entriesOf(counters).map(([counter, metric]) => {
    const collect = function (this: Counter): void {
      for (const zero of zeroCounters()) if (zero.counter === counter) this.inc(zero.labels, 0)
    }
    return [counter, new Counter({ ...configOf(metric, register), name: counterNameOf(metric), collect })]
  })
  return Object.fromEntries(entries)
}

function histogramsIn(register: AnyRegistry): Record<HistogramName, Histogram> {
  const entries = entriesOf(histograms).map(([histogram, metric]) => [
    histogram,
    new Histogram({ ...configOf(metric, register), buckets: [...buckets[histogram]] }),
  ])
  return Object.fromEntries(entries)
}

function addGauges(register: AnyRegistry): void {
  for (const [gauge, metric] of entriesOf<GaugeName>(gauges)) {
    const collect = function (this: Gauge): void {
      // What is gone has no series any more.
      this.reset()
      for (const reading of readGauges()) if (reading.gauge === gauge) this.set(reading.labels, reading.value)
    }
    new Gauge({ ...configOf(metric, register), collect })
  }
}

function configOf(
  metric: Metric,
  register: AnyRegistry,
): { name: string; help: string; labelNames: readonly string[]; registers: AnyRegistry[] } {
  return { name: nameOf(metric), help: metric.help, labelNames: metric.labels, registers: [register] }
}

/** As the conventions of OpenTelemetry have it for Prometheus. */
function nameOf({ name, unit }: Metric): string {
  return name.replaceAll('.', '_') + (unit === 's' ? '_seconds' : '')
}

function counterNameOf(metric: Metric): string {
  return `${nameOf(metric)}_total`
}

function entriesOf<Name extends string>(metrics: Readonly<Record<Name, Metric>>): [Name, Metric][] {
  return Object.entries(metrics) as [Name, Metric][]
}
