import type { CircuitState } from './circuit-breaker.ts'

/**
 * A Vault or OpenBao server, with one token for all leases on it. Made by `createVault()`, and to be closed by whoever made it,
 * after its leases and their pools.
 */
export interface Vault extends AsyncDisposable {
  /** The first, where there are several. */
  readonly address: string
  readonly namespace: string | undefined
  /** The state of the circuit breaker. */
  readonly circuit: CircuitState
  /**
   * Gives back the token, if the library logged in for it, within 5 seconds. Leases on it cannot be renewed or revoked then.
   * Closing twice is closing once.
   *
   * @throws VaultError when the token could not be given back.
   */
  close(): Promise<void>
}
