import { channel } from 'node:diagnostics_channel'
import { type Context, context, ROOT_CONTEXT, SpanStatusCode, trace } from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { CredentialNotProvenError } from '@vault-lease/core'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { instrumentVaultLease } from '../src/opentelemetry.ts'
import { leaseOfFunction, poolOn, secret } from './leases.ts'

const source = 'the credential function'
const lease$ = { 'vault_lease.source': source }

describe('what OpenTelemetry is given', () => {
  const opened: (() => unknown)[] = []
  afterEach(async () => {
    for (const close of opened.splice(0).reverse()) await close()
  })

  function setUp() {
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
    const meterProvider = new MeterProvider({ readers: [reader] })
    const spans = new InMemorySpanExporter()
    const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
    const stop = instrumentVaultLease({ meterProvider, tracerProvider })
    const lease = leaseOfFunction()
    opened.push(
      () => meterProvider.shutdown(),
      stop,
      () => lease.close(),
    )
    const metrics = async () => {
      exporter.reset()
      await reader.forceFlush()
      const all = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics)
      return all.flatMap((scope) => scope.metrics)
    }
    /** The points of one metric, with its unit. */
    const points = async (name: string) => {
      const found = (await metrics()).find(({ descriptor }) => descriptor.name === name)
      const { unit } = found?.descriptor ?? {}
      return found?.dataPoints.map(({ attributes, value }) => ({ unit, ...attributes, value })) ?? []
    }
    return { lease, points, metrics, spans, meterProvider, tracerProvider, stop }
  }

  it('are the same metrics, by its own conventions', async () => {
    const { lease, points, metrics } = setUp()
    const { attachment, place } = poolOn(lease, {
      usage: () => ({ connections: [{ generation: 1, open: 2 }] }),
    })
    attachment.loggedIn(await attachment.credential())
    const pool = { 'db.client.connection.pool.name': place }
    expect(await points('vault_lease.generation')).toEqual([{ ...lease$, unit: '{generation}', value: 1 }])
    expect(await points('vault_lease.connections')).toEqual([
      { ...lease$, ...pool, unit: '{connection}', 'vault_lease.credential': 'current', value: 2 },
      { ...lease$, ...pool, unit: '{connection}', 'vault_lease.credential': 'old', value: 0 },
    ])
    expect(await points('vault_lease.logins')).toEqual([{ ...lease$, ...pool, unit: '{login}', value: 1 }])
    expect(await points('vault_lease.rotation.step.duration')).toContainEqual({
      ...lease$,
      unit: 's',
      'vault_lease.step': 'fetch',
      'vault_lease.outcome': 'success',
      value: expect.objectContaining({ count: 1 }),
    })
    // A credential without an end has no number of seconds.
    expect(await points('vault_lease.credential.expires')).toEqual([])
    expect(await points('db.client.connection.count')).toEqual([])
    expect(JSON.stringify(await metrics())).not.toMatch(new RegExp(`${secret}|v-1`))
  })

  it('are the pools that nobody else instruments, those of one place together', async () => {
    const { lease, points } = setUp()
    const connections = [
      { generation: 1, open: 2 },
      { generation: 2, open: 3 },
    ]
    const usage = () => ({ connections, load: { max: 10, idle: 1, waiting: 7 } })
    const pools = [
      poolOn(lease, { usage }),
      poolOn(lease, { usage }),
      poolOn(lease, { usage, place: 'test://b' }),
    ]
    await Promise.all(pools.map(({ attachment }) => attachment.credential()))
    const name = (place = pools[0]?.place) => ({ 'db.client.connection.pool.name': place })
    const state = 'db.client.connection.state'
    expect(await points('db.client.connection.count')).toEqual([
      { ...name(), unit: '{connection}', [state]: 'used', value: 8 },
      { ...name(), unit: '{connection}', [state]: 'idle', value: 2 },
      { ...name('test://b'), unit: '{connection}', [state]: 'used', value: 4 },
      { ...name('test://b'), unit: '{connection}', [state]: 'idle', value: 1 },
    ])
    expect(await points('db.client.connection.pending_requests')).toContainEqual({
      ...name(),
      unit: '{request}',
      value: 14,
    })
    expect(await points('db.client.connection.max')).toContainEqual({
      ...name(),
      unit: '{connection}',
      value: 20,
    })
  })

  it('comes once however often it is asked for, and no more when it is stopped', async () => {
    const { lease, points, spans, stop, ...providers } = setUp()
    instrumentVaultLease(providers)
    await lease.ready()
    expect(await points('vault_lease.rotations')).toMatchObject([{ value: 1 }])
    expect(namesOf(spans.getFinishedSpans()).filter((name) => name === 'vault_lease.rotation')).toHaveLength(
      1,
    )
    stop()
    const before = spans.getFinishedSpans().length
    await lease.rotate()
    expect(spans.getFinishedSpans()).toHaveLength(before)
    expect(await points('vault_lease.rotations')).toMatchObject([{ value: 1 }])
  })

  it('is 0 for what is gone, of which an SDK would repeat the last value for ever', async () => {
    const { lease, points } = setUp()
    await lease.ready()
    expect(await points('vault_lease.generation')).toMatchObject([{ value: 1 }])
    await lease.close()
    expect(await points('vault_lease.generation')).toMatchObject([{ value: 0 }])
    expect((await points('vault_lease.state')).map(({ value }) => value)).toEqual([0, 0, 0, 0, 0, 0])
  })

  it('is nothing at all without an SDK, and no error', async () => {
    const stop = instrumentVaultLease()
    await using lease = leaseOfFunction()
    await lease.ready()
    stop()
  })

  describe('for a rotation', () => {
    // As an SDK has it: what is begun meanwhile belongs to the request at hand.
    let active: Context = ROOT_CONTEXT
    beforeEach(() => {
      const manager = {
        active: () => active,
        with: <Args extends unknown[], Result>(
          _context: Context,
          run: (...args: Args) => Result,
          self?: ThisParameterType<typeof run>,
          ...args: Args
        ): Result => run.apply(self, args),
        bind: <T>(_context: Context, target: T): T => target,
        enable: () => manager,
        disable: () => manager,
      }
      context.setGlobalContextManager(manager)
      opened.push(() => context.disable())
    })

    it('is a trace of its own with the steps as children, in their times', async () => {
      const { lease, spans, tracerProvider } = setUp()
      const slowly = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
      const { attachment } = poolOn(lease, {
        prove: () => slowly(60).then(() => 'accepted'),
        retire: () => slowly(40).then(() => ({ closed: 1, forced: 0 })),
      })
      await attachment.credential()
      spans.reset()
      active = trace.setSpan(ROOT_CONTEXT, tracerProvider.getTracer('app').startSpan('GET /'))
      const from = Date.now()
      await lease.rotate()
      await vi.waitFor(() => expect(namesOf(spans.getFinishedSpans())).toContain('vault_lease.retire'))
      const [rotation, ...steps] = spans.getFinishedSpans()
      expect(namesOf(steps)).toEqual(
        ['fetch', 'prove', 'publish', 'retire'].map((step) => `vault_lease.${step}`),
      )
      expect(rotation?.parentSpanContext).toBe(undefined)
      expect(rotation?.attributes).toEqual({
        ...lease$,
        'vault_lease.reason': 'manual',
        'vault_lease.outcome': 'success',
        'vault_lease.generation': 2,
      })
      for (const step of steps) expect(step.parentSpanContext?.spanId).toBe(rotation?.spanContext().spanId)
      const times = Object.fromEntries(
        spans.getFinishedSpans().map((span) => [span.name, [ms(span.startTime), ms(span.endTime)]]),
      )
      const [began = 0, ended = 0] = times['vault_lease.rotation'] ?? []
      expect(began).toBeGreaterThanOrEqual(from - 5)
      expect(times['vault_lease.fetch']?.[0]).toBeCloseTo(began, 3)
      expect(times['vault_lease.prove']?.[0]).toBe(times['vault_lease.fetch']?.[1])
      const [proveFrom = 0, proveTo = 0] = times['vault_lease.prove'] ?? []
      expect(proveTo - proveFrom).toBeGreaterThanOrEqual(55)
      expect(Math.abs(ended - (times['vault_lease.publish']?.[1] ?? 0))).toBeLessThan(5)
      const [retireFrom = 0, retireTo = 0] = times['vault_lease.retire'] ?? []
      expect(retireFrom).toBeGreaterThanOrEqual(proveTo - 5)
      expect(retireTo - retireFrom).toBeGreaterThanOrEqual(35)
    })

    it('has the end of the user that it has replaced, until that is revoked', async () => {
      const { spans } = setUp()
      const publish = (name: string, told: object): void =>
        channel(`vault-lease:${name}`).publish({ source, ...told })
      const one = { generation: 1, username: 'v-1' }
      const two = { generation: 2, username: 'v-2' }
      const rotation = { reason: 'age', outcome: 'success', tookMs: 5, steps: [] }
      publish('rotation', { ...rotation, generation: 2, replaced: [one] })
      publish('rotation', { ...rotation, generation: 3, replaced: [two] })
      publish('retired', { ...one, closed: 2, forced: 0, tookMs: 3_000 })
      publish('revoked', { ...one, tookMs: 100 })
      publish('revoked', { ...one, tookMs: 100 })
      const [first, , ...ends] = spans.getFinishedSpans()
      const parents = ends.map(({ name, parentSpanContext }) => [name, parentSpanContext?.spanId])
      const { spanId } = first?.spanContext() ?? {}
      expect(parents).toEqual([
        ['vault_lease.retire', spanId],
        ['vault_lease.revoke', spanId],
        ['vault_lease.revoke', undefined],
      ])
      const [retire] = ends
      expect(ms(retire?.endTime ?? [0, 0]) - ms(retire?.startTime ?? [0, 0])).toBeCloseTo(3_000, 0)
    })

    it('has the error of the step that failed, without its causes', async () => {
      const { lease, spans } = setUp()
      const prove = vi.fn<() => Promise<'accepted'>>(async () => 'accepted')
      const { attachment } = poolOn(lease, { prove })
      await attachment.credential()
      spans.reset()
      const refusal = new CredentialNotProvenError('no answer', {
        refused: false,
        cause: new Error(`the driver says ${secret}`),
      })
      prove.mockRejectedValue(refusal)
      await expect(lease.rotate()).rejects.toBe(refusal)
      const [rotation, fetch, failed, ...others] = spans.getFinishedSpans()
      expect(others).toEqual([])
      expect(fetch?.status).toEqual({ code: SpanStatusCode.UNSET })
      for (const span of [rotation, failed])
        expect(span).toMatchObject({
          status: { code: SpanStatusCode.ERROR, message: 'no answer' },
          attributes: { 'error.type': 'ERR_CREDENTIAL_NOT_PROVEN' },
          events: [{ name: 'exception', attributes: { 'exception.message': 'no answer' } }],
        })
      const told = [rotation, failed].map((span) => [span?.attributes, span?.events, span?.status])
      expect(JSON.stringify(told)).not.toContain(secret)
    })
  })
})

function namesOf(spans: readonly ReadableSpan[]): string[] {
  return spans.map(({ name }) => name)
}

function ms([seconds, nanos]: ReadableSpan['startTime']): number {
  return seconds * 1_000 + nanos / 1e6
}
