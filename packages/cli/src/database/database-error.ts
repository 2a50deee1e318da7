import { VaultLeaseError } from '@vault-lease/core'

/** A database cannot be reached, or refuses what its superuser asks of it. */
export class DatabaseError extends VaultLeaseError {
  readonly code = 'ERR_DATABASE'
}
