import type { LeaseStatus } from './status.ts'

/** A lease that is in use, whoever shares it. */
export interface OpenLease {
  /** With the pools of all its managers. */
  status(): LeaseStatus
}

/** Known by every copy of this library, as ESM and as CommonJS. */
const registry: unique symbol = Symbol.for('vault-lease.open-leases')

/** The leases of this process, from their first use until they are closed. */
export function openLeases(): Set<OpenLease> {
  const everywhere: typeof globalThis & { [registry]?: Set<OpenLease> } = globalThis
  everywhere[registry] ??= new Set()
  return everywhere[registry]
}

/** Where each lease in use stands at this moment, with the pools of all managers on it: one entry for a lease that several share. */
export function statusOfOpenLeases(): LeaseStatus[] {
  return Array.from(openLeases(), (lease) => lease.status())
}
