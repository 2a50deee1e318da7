import type { LeaseManager, LeaseStep } from '@vault-lease/core'

/** What a lease has told of itself, counted. */
export interface Told {
  rotations: number
  failedRotations: number
  renewals: number
  logins: number
  stragglers: number
  expirations: number
  revocations: number
  /** How often each step failed. */
  failures: Partial<Record<LeaseStep, number>>
}

/** Counts from now on: what it returns goes on growing. */
export function countTold(lease: LeaseManager): Told {
  const told: Told = {
    rotations: 0,
    failedRotations: 0,
    renewals: 0,
    logins: 0,
    stragglers: 0,
    expirations: 0,
    revocations: 0,
    failures: {},
  }
  lease.on('rotation', ({ outcome }) => {
    if (outcome === 'success') told.rotations++
    if (outcome === 'failure') told.failedRotations++
  })
  lease.on('renewed', () => void told.renewals++)
  lease.on('login', () => void told.logins++)
  lease.on('retired', ({ forced }) => {
    told.stragglers += forced
  })
  lease.on('expired', () => void told.expirations++)
  lease.on('revoked', () => void told.revocations++)
  lease.on('failed', ({ step }) => {
    told.failures[step] = (told.failures[step] ?? 0) + 1
  })
  return told
}
