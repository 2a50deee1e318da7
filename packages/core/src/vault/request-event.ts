import { channel } from 'node:diagnostics_channel'
import { VaultError, type VaultErrorCode } from './errors.ts'

/** What a request to Vault is for. */
export type VaultOperation =
  | 'credential'
  | 'lease-renew'
  | 'lease-revoke'
  | 'lease-lookup'
  | 'login'
  | 'token-lookup'
  | 'token-renew'
  | 'token-revoke'
  | 'unwrap'
  | 'other'

/**
 * What is told of each request to Vault on the diagnostics channel `vault-lease:request`: each repetition, and each server of a
 * cluster that was asked. It holds no secret.
 */
export interface VaultRequestEvent {
  /** Of the server, such as `https://vault.internal:8200`. */
  readonly address: string
  readonly operation: VaultOperation
  /** `aborted`: it was given up before Vault had answered, or could be said to hang. */
  readonly outcome: 'success' | 'aborted' | VaultErrorCode
  /** Milliseconds from sending it to the end of the answer. */
  readonly tookMs: number
}

const requests = channel('vault-lease:request')

const operations: Readonly<Record<string, VaultOperation>> = {
  'sys/leases/renew': 'lease-renew',
  'sys/leases/revoke': 'lease-revoke',
  'sys/leases/lookup': 'lease-lookup',
  'auth/token/lookup-self': 'token-lookup',
  'auth/token/renew-self': 'token-renew',
  'auth/token/revoke-self': 'token-revoke',
  'sys/wrapping/lookup': 'unwrap',
  'sys/wrapping/unwrap': 'unwrap',
}

/** Tells of a request that was answered, or failed with `error`. */
export function tellRequest(address: string, path: string, tookMs: number, error?: unknown): void {
  if (!requests.hasSubscribers) return
  const outcome = error === undefined ? 'success' : error instanceof VaultError ? error.code : 'aborted'
  const event: VaultRequestEvent = { address, operation: operationOf(path), outcome, tookMs }
  requests.publish(event)
}

export function operationOf(path: string): VaultOperation {
  const known = operations[path]
  if (known) return known
  if (path.startsWith('auth/')) return 'login'
  return /\/(static-)?creds\//.test(path) ? 'credential' : 'other'
}
