import { channel } from 'node:diagnostics_channel'
import type { EventEmitter } from 'node:events'
import type { VaultLeaseError } from '../errors.ts'
import type { RotationReason } from '../lease/schedule.ts'
import type { LeaseState } from '../lease/status.ts'

/**
 * What a lease manager tells. Each event is also published on the diagnostics channel `vault-lease:<event>` with the same
 * payload. No payload holds a password or a token.
 */
export interface LeaseEvents {
  /** A new credential is in force. `tookMs` counts from the decision to its publication. */
  rotated: [{ source: string; generation: number; username: string; reason: RotationReason; tookMs: number }]
  /** The lease in force was renewed and now ends in `expiresInMs`. */
  renewed: [{ source: string; generation: number; expiresInMs: number }]
  /** No connection of the generation is left. `forced` were closed under their holder. */
  retired: [
    { source: string; generation: number; username: string; closed: number; forced: number; tookMs: number },
  ]
  /** The lease of the generation was revoked: its database user is gone. */
  revoked: [{ source: string; generation: number; username: string }]
  /** A step failed. The manager tries again by itself where that can help. */
  failed: [{ source: string; step: LeaseStep; error: VaultLeaseError }]
  /** The credential died before there was another. */
  expired: [{ source: string; generation: number; username: string }]
  /** The state changed. */
  state: [{ source: string; from: LeaseState; to: LeaseState }]
}

/** The steps that can fail. */
export type LeaseStep =
  | 'fetch'
  | 'prove'
  | 'renew'
  | 'renew-token'
  | 'retire'
  | 'shorten'
  | 'revoke'
  | 'close'

type EventName = keyof LeaseEvents

const channels = new Map<EventName, ReturnType<typeof channel>>()

/** Tells one event to whoever listens. */
export type Tell = <Name extends EventName>(name: Name, payload: LeaseEvents[Name][0]) => void

/** Tells the listeners of every emitter, and the diagnostics channel. A listener that throws is reported and stops nothing. */
export function announce<Name extends EventName>(
  emitters: Iterable<EventEmitter<LeaseEvents>>,
  name: Name,
  payload: LeaseEvents[Name][0],
): void {
  const diagnostics = channels.get(name) ?? channel(`vault-lease:${name}`)
  channels.set(name, diagnostics)
  diagnostics.publish(payload)
  for (const emitter of emitters) emitTo(emitter, name, payload)
}

/** Tells the listeners of one emitter. */
export function emitTo<Name extends EventName>(
  emitter: EventEmitter<LeaseEvents>,
  name: Name,
  payload: LeaseEvents[Name][0],
): void {
  for (const listener of emitter.rawListeners(name)) void tell(emitter, name, listener, payload)
}

async function tell(
  emitter: EventEmitter<LeaseEvents>,
  name: EventName,
  listener: (...args: never[]) => unknown,
  payload: object,
): Promise<void> {
  try {
    await Reflect.apply(listener, emitter, [payload])
  } catch (error) {
    const warning = `A listener of the lease event "${name}" threw: ${String(error)}`
    process.emitWarning(warning, 'VaultLeaseWarning')
  }
}
