import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { LeaseEvents, VaultRequestEvent } from '@vault-lease/core'
import type { CounterName, HistogramName, Labels } from './metrics.ts'

/** Where what happens is counted. */
export interface Sink {
  add(counter: CounterName, labels: Labels, by?: number): void
  observe(histogram: HistogramName, labels: Labels, seconds: number): void
}

/** What is told on the diagnostics channels of core, by their names. */
export type Told = { [Name in keyof LeaseEvents]: LeaseEvents[Name][0] } & { request: VaultRequestEvent }

/** Hears what every copy of core tells, until what it returns is called. */
export function hear<Name extends keyof Told>(name: Name, listener: (told: Told[Name]) => void): () => void {
  const heard = (message: unknown): void => listener(message as Told[Name])
  subscribe(`vault-lease:${name}`, heard)
  return () => void unsubscribe(`vault-lease:${name}`, heard)
}

/** Counts what happens to all leases from now on, until what it returns is called. */
export function follow({ add, observe }: Sink): () => void {
  const stops = [
    hear('rotation', ({ source, outcome, reason, steps }) => {
      add('rotations', { source, outcome, reason })
      for (const { step, tookMs, error } of steps)
        observe('stepDuration', { source, step, outcome: error ? 'failure' : 'success' }, tookMs / 1_000)
    }),
    hear('renewed', ({ source }) => add('renewals', { source, outcome: 'success' })),
    hear('login', ({ source, place: pool }) => add('logins', { source, pool })),
    hear('expired', ({ source }) => add('expirations', { source })),
    hear('retired', ({ source, forced, tookMs }) => {
      add('stragglers', { source }, forced)
      observe('stepDuration', { source, step: 'retire', outcome: 'success' }, tookMs / 1_000)
    }),
    hear('revoked', ({ source, tookMs }) => {
      add('revocations', { source, outcome: 'success' })
      observe('stepDuration', { source, step: 'revoke', outcome: 'success' }, tookMs / 1_000)
    }),
    hear('failed', ({ source, step, error: { code } }) => {
      add('failures', { source, step, code })
      if (step === 'renew') add('renewals', { source, outcome: 'failure' })
      if (step === 'revoke') add('revocations', { source, outcome: 'failure' })
    }),
    hear('request', ({ operation, outcome, tookMs }) => {
      add('requests', { operation, outcome })
      observe('requestDuration', { operation, outcome }, tookMs / 1_000)
    }),
  ]
  return () => {
    for (const stop of stops) stop()
  }
}
