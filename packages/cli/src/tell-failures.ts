import type { LeaseManager } from '@vault-lease/core'
import { tell } from './terminal.ts'

const beginnings: Readonly<Record<string, string>> = {
  renew: 'The lease was not extended',
  'renew-token': 'The token was not extended',
  shorten: 'The lease keeps its time',
  revoke: 'The database user lives until its lease ends',
}

/** Tells people what fails on a lease, most of which is tried again. */
export function tellFailures(lease: LeaseManager): void {
  lease.on('failed', ({ step, error }) => tell(`${beginnings[step] ?? 'Not yet'}: ${error.message}`))
}
