import { recordOf, textOf } from '../vault/answer.ts'
import { VaultError } from '../vault/errors.ts'
import { apiPath } from '../vault/path.ts'
import { endlessLease } from './lease.ts'
import { type CredentialSource, type FetchTerms, type IssuedCredential, withoutLease } from './source.ts'
import type { VaultRole } from './vault-role.ts'

/** Vault changes the password on a tick of its own, up to some seconds after the ttl has come to 0. */
const afterTheBoundaryMs = 500
const spreadMs = 150
const firstPauseMs = 500
const longestPauseMs = 5_000

/**
 * The credential of a static role: one database user that stays, whose password Vault changes from time to time. The moment
 * is known to the second only, and comes late when the database is down, so around it Vault is asked again and again.
 */
export function staticRole({ open, mount, name, close }: VaultRole, random: () => number): CredentialSource {
  const path = apiPath(mount, 'static-creds', name)
  const description = `${mount}/static-creds/${name}`
  let overdue = { since: '', pauseMs: firstPauseMs }

  /** How long to leave Vault alone. */
  const pauseAfter = (ttlMs: number, rotatedAt: string): number => {
    if (ttlMs > 0) return ttlMs + afterTheBoundaryMs + random() * spreadMs
    const pauseMs =
      overdue.since === rotatedAt ? Math.min(longestPauseMs, overdue.pauseMs * 1.5) : firstPauseMs
    overdue = { since: rotatedAt, pauseMs }
    return pauseMs
  }

  return {
    ...withoutLease,
    description,
    get circuit() {
      return open().circuit
    },
    async fetch({ signal, deadline }: FetchTerms): Promise<IssuedCredential> {
      const { data, sentAt } = await open().send({ method: 'GET', path, signal, deadline })
      const { username, password, ttl, last_vault_rotation: rotatedAt } = recordOf(data, 'data', description)
      if (typeof ttl !== 'number') throw notStatic(description)
      const lookAt = sentAt + pauseAfter(ttl * 1_000, String(rotatedAt))
      return {
        username: textOf(username, 'data.username', description),
        password: textOf(password, 'data.password', description),
        lease: endlessLease({ readAt: sentAt, lookAt }),
        // No lease stands under the token that it was read with: what counts is the one that it is read with next.
        tokenFacts: () => open().session.facts,
      }
    },
    renewToken: (signal) => open().renewToken(signal),
    close,
  }
}

function notStatic(description: string): VaultError {
  return new VaultError(
    `The answer read from ${description} has no ttl, so it is not a static role. For a dynamic one use the option role.`,
    { code: 'ERR_VAULT_BAD_ANSWER' },
  )
}
