import type { VaultLeaseError } from '../errors.ts'
import { CredentialNotProvenError } from '../errors.ts'
import { type Clock, deadlineAfter, pause } from '../resilience/clock.ts'
import { followed } from '../resilience/settle.ts'
import type { Consumer, Proof } from './consumer.ts'
import type { Credential } from './credential.ts'
import { asLeaseError } from './failures.ts'
import { databaseGaveNoAnswer } from './unavailable.ts'

/** What the database of one consumer says of a credential. */
export type Verdict =
  | { readonly answer: Proof }
  | { readonly answer: 'refused' | 'silent'; readonly error: VaultLeaseError }
  /** The consumer has left the lease. */
  | { readonly answer: 'left' }

/** How long an answer is waited for. */
export interface ProofTerms {
  readonly clock: Clock
  readonly withinMs: number
  /** Aborted when the consumer leaves. */
  readonly left: AbortSignal
}

/** A database that lags behind the one in which Vault created the user learns of it a little later. */
const proveAgainAfterMs = [50, 100, 250, 500, 1_000, 1_000]
/** A consumer whose time is over may still have to let go of what it was doing. */
const letGoWithinMs = 1_000

/** Asks once, in bounded time, whatever the consumer does. Never rejects. */
export async function ask(
  consumer: Consumer,
  credential: Credential,
  { clock, withinMs, left }: ProofTerms,
): Promise<Verdict> {
  const tooLong = (): Error => databaseGaveNoAnswer(consumer.place, withinMs)
  const limit = deadlineAfter(clock, withinMs, tooLong, left)
  try {
    const proving = Promise.resolve().then(() => consumer.prove(credential, limit.signal))
    return { answer: await followed(clock, proving, limit.signal, letGoWithinMs) }
  } catch (error) {
    if (left.aborted) return { answer: 'left' }
    const refused = error instanceof CredentialNotProvenError && error.refused
    return { answer: refused ? 'refused' : 'silent', error: asLeaseError('prove', error) }
  } finally {
    limit[Symbol.dispose]()
  }
}

/** Asks again when the user is not known yet, with growing gaps, as long as there is time. Never rejects. */
export async function askAgainWhileRefused(
  consumer: Consumer,
  credential: Credential,
  { clock, withinMs, left }: ProofTerms,
): Promise<Verdict> {
  const until = clock.now() + withinMs
  for (let tries = 0; ; tries++) {
    const verdict = await ask(consumer, credential, { clock, withinMs: until - clock.now(), left })
    const pauseMs = proveAgainAfterMs[tries]
    if (verdict.answer !== 'refused' || pauseMs === undefined || clock.now() + pauseMs >= until)
      return verdict
    await pause(clock, pauseMs, left)
  }
}
