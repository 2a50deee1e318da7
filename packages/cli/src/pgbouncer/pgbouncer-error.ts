import { VaultLeaseError } from '@vault-lease/core'

/** PgBouncer does not answer (`retryable`), or does not do what it is asked. */
export class PgBouncerError extends VaultLeaseError {
  readonly code = 'ERR_PGBOUNCER'
}
