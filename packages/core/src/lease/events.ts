import { channel } from 'node:diagnostics_channel'
import type { EventEmitter } from 'node:events'
import type { VaultLeaseError } from '../errors.ts'
import { plainCause } from '../observe/redact.ts'
import type { RotationReason } from './schedule.ts'
import type { LeaseState, PlaceState } from './status.ts'

/**
 * What a lease manager tells. Each event is also published on the diagnostics channel `vault-lease:<event>` with the same
 * payload. No payload holds a password or a token.
 */
export interface LeaseEvents {
  /** A new credential is in force. `tookMs` counts from the decision to its publication. */
  rotated: [{ source: string; generation: number; username: string; reason: RotationReason; tookMs: number }]
  /** The user in force has a new password: new connections use it, and those that are open go on. */
  passwordChanged: [
    { source: string; generation: number; username: string; reason: RotationReason; tookMs: number },
  ]
  /**
   * An attempt to put another credential in force is over, which began `tookMs` ago. `steps` are those that were begun, one
   * after another from its beginning on; the last one has the error that made it fail. `unchanged`: the source gave the credential in force
   * again. `replaced` are the generations that are retired because of it.
   */
  rotation: [
    {
      source: string
      reason: RotationReason
      outcome: RotationOutcome
      /** The generation in force now; 0 when there is none. */
      generation: number
      tookMs: number
      steps: readonly StepTime[]
      replaced: readonly { readonly generation: number; readonly username: string }[]
    },
  ]
  /** The lease in force was renewed and now ends in `expiresInMs`. */
  renewed: [{ source: string; generation: number; expiresInMs: number }]
  /** No connection of the generation is left. `forced` were closed under their holder. */
  retired: [
    { source: string; generation: number; username: string; closed: number; forced: number; tookMs: number },
  ]
  /** The lease of the generation was revoked: its database user is gone. `tookMs` counts from the end of its last connection. */
  revoked: [{ source: string; generation: number; username: string; tookMs: number }]
  /** A pool has opened a connection, or tried a credential, and the database has let the user in. */
  login: [{ source: string; place: string; generation: number; username: string }]
  /** A step failed, for one pool alone where there is a `place`. The manager tries again by itself where that can help. */
  failed: [{ source: string; step: LeaseStep; error: VaultLeaseError; place?: string }]
  /** The credential died, or was refused by the database, before there was another. */
  expired: [{ source: string; generation: number; username: string }]
  /** How a pool on the lease stands with its database has changed: `refused` while others go on, `proven` again. */
  place: [
    { source: string; place: string; from: PlaceState; to: PlaceState; error: VaultLeaseError | undefined },
  ]
  /** The state changed. */
  state: [{ source: string; from: LeaseState; to: LeaseState }]
}

/** The steps that put a credential in force. */
export type RotationStep = 'fetch' | 'prove' | 'publish'

/** How long a step took, and why it failed, if it did. */
export interface StepTime {
  readonly step: RotationStep
  readonly tookMs: number
  readonly error: VaultLeaseError | undefined
}

/** What an attempt to put another credential in force came to. */
export type RotationOutcome = 'success' | 'unchanged' | 'failure'

type EventName = keyof LeaseEvents
type Listener<Name extends EventName> = (payload: LeaseEvents[Name][0]) => void

/** What listeners can be added to. For a union of names the payload is the union of theirs. */
export interface LeaseEventEmitter extends Omit<EventEmitter<LeaseEvents>, 'on' | 'once' | 'off'> {
  on<Name extends EventName>(name: Name, listener: Listener<Name>): this
  once<Name extends EventName>(name: Name, listener: Listener<Name>): this
  off<Name extends EventName>(name: Name, listener: Listener<Name>): this
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

const channels = new Map<EventName, ReturnType<typeof channel>>()

/** Tells one event to whoever listens. */
export type Tell = <Name extends EventName>(name: Name, payload: LeaseEvents[Name][0]) => void

/** Tells the listeners of every emitter, and the diagnostics channel. A listener that throws is reported and stops nothing. */
export function announce<Name extends EventName>(
  emitters: Iterable<LeaseEventEmitter>,
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
  emitter: LeaseEventEmitter,
  name: Name,
  payload: LeaseEvents[Name][0],
): void {
  for (const listener of emitter.rawListeners(name)) void tell(emitter, name, listener, payload)
}

async function tell(
  emitter: LeaseEventEmitter,
  name: EventName,
  listener: (...args: never[]) => unknown,
  payload: object,
): Promise<void> {
  try {
    await Reflect.apply(listener, emitter, [payload])
  } catch (error) {
    const warning = `A listener of the lease event "${name}" threw: ${String(plainCause(error))}`
    process.emitWarning(warning, 'VaultLeaseWarning')
  }
}
