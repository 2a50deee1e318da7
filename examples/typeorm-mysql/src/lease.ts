import { createLease } from '@vault-lease/typeorm'
import { vault } from './vault.ts'

/**
 * With `vaultDataSource({ vault: vault() })` alone, closing the application closes the lease too. Here /health shows the
 * lease, so it is made first, and closed last.
 */
export const lease = createLease({ vault: vault() })
