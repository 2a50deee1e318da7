import { CredentialSourceError } from '../errors.ts'
import type { Clock } from '../resilience/clock.ts'
import { unlessAborted } from '../resilience/settle.ts'
import { endlessLease } from './lease.ts'
import { type CredentialSource, withoutLease } from './source.ts'

/** What a caller's own function gives. */
export interface GivenCredential {
  readonly username: string
  readonly password: string
  /** When it may not be used for a new connection any more. Default: it has no known end. */
  readonly expiresAt?: Date | undefined
}

/**
 * A caller's own way to a credential, such as the IAM token of a cloud, or another store. Called for the first credential, when
 * two thirds of the life of the last one are over, and when the database has refused it.
 */
export type CredentialFunction = (context: { readonly signal: AbortSignal }) => Promise<GivenCredential>

/** Credentials that a function of the caller gives. */
export function credentialFunction(give: CredentialFunction, clock: Clock): CredentialSource {
  return {
    ...withoutLease,
    description: 'the credential function',
    async fetch({ signal }) {
      const { username, password, expiresAt } = checked(await called(give, signal))
      const readAt = clock.now()
      const end = expiresAt && readAt + expiresAt.getTime() - clock.date()
      return {
        username,
        password,
        lease: endlessLease({ readAt, ...(end !== undefined && { end }) }),
        tokenFacts: () => undefined,
      }
    },
  }
}

async function called(give: CredentialFunction, signal: AbortSignal): Promise<unknown> {
  try {
    return await unlessAborted(
      Promise.resolve().then(() => give({ signal })),
      signal,
    )
  } catch (cause) {
    signal.throwIfAborted()
    throw new CredentialSourceError('The credential function failed. Its error is the cause.', { cause })
  }
}

function checked(given: unknown): GivenCredential {
  const { username, password, expiresAt } = (given ?? {}) as Partial<GivenCredential>
  const isText = (value: unknown): boolean => typeof value === 'string' && value !== ''
  const isMoment = expiresAt instanceof Date && !Number.isNaN(expiresAt.getTime())
  if (!isText(username) || !isText(password) || (expiresAt !== undefined && !isMoment)) {
    throw new CredentialSourceError(
      'The credential function has to give { username, password }, two texts that are not empty, and may give expiresAt, a Date.',
    )
  }
  return { username, password, expiresAt } as GivenCredential
}
