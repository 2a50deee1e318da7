import { ConnectionRetiredError, LeaseClosedError } from '../errors.ts'
import type { Clock } from '../resilience/clock.ts'
import { deadlineAfter } from '../resilience/clock.ts'
import type { CredentialSource } from '../source/source.ts'
import { isLeaseGone } from '../vault/errors.ts'
import type { Consumer, Retired } from './consumer.ts'
import type { Generation } from './rotation.ts'

/** The last two steps of a rotation, retire and revoke, for one generation. */
export interface RetirementSteps {
  readonly retiring: Generation
  readonly source: CredentialSource
  readonly consumers: Iterable<Consumer>
  readonly clock: Clock
  /** When its connections have to be gone. */
  readonly deadline: number
  /** Aborted when the drain has to end earlier: the manager is closing. */
  readonly signal: AbortSignal
  onRetired(retired: Retired): void
  onRevoked(): void
  onFailed(step: 'retire' | 'shorten' | 'revoke', error: unknown): void
}

/** Vault counts in whole seconds, and the revocation comes before the shortened end. */
const shortenMarginMs = 2_000
const revokeWithinMs = 15_000

/** Never rejects: what fails is told through `onFailed`, and the lease ends by itself then. */
export async function retireAndRevoke(steps: RetirementSteps): Promise<void> {
  await Promise.all([shortenInCaseOfCrash(steps), retire(steps)])
  await attempt(steps, 'revoke', revokeWithinMs, async (signal) => {
    await steps.source.revoke(steps.retiring.issued, signal)
    steps.onRevoked()
  })
}

/** A process killed in mid-drain cannot revoke: the lease must not outlive the drain by much. */
async function shortenInCaseOfCrash(steps: RetirementSteps): Promise<void> {
  const { clock, deadline, retiring, source } = steps
  const drainMs = Math.max(0, deadline - clock.now()) + shortenMarginMs
  const wholeSecondsMs = Math.ceil(drainMs / 1_000) * 1_000
  const { lease } = retiring.issued
  if (clock.now() + wholeSecondsMs >= lease.end) return
  await attempt(steps, 'shorten', wholeSecondsMs, (signal) => source.shorten(lease, wholeSecondsMs, signal))
}

async function retire(steps: RetirementSteps): Promise<void> {
  const { clock, deadline, retiring, consumers } = steps
  const { generation, username } = retiring.credential
  const drainMs = Math.max(0, deadline - clock.now())
  const drain = deadlineAfter(clock, drainMs, () => overdueError(username), steps.signal)
  try {
    const stragglerError = (): Error => (steps.signal.aborted ? cutShortError() : overdueError(username))
    const terms = { deadline, signal: drain.signal, stragglerError }
    const outcomes = await Promise.allSettled(
      Array.from(consumers, (consumer) => consumer.retire(generation, terms)),
    )
    const total = { closed: 0, forced: 0 }
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') steps.onFailed('retire', outcome.reason)
      else {
        total.closed += outcome.value.closed
        total.forced += outcome.value.forced
      }
    }
    steps.onRetired(total)
  } finally {
    drain[Symbol.dispose]()
  }
}

function cutShortError(): LeaseClosedError {
  return new LeaseClosedError('This connection was still in use when the time to close had passed.')
}

function overdueError(username: string): ConnectionRetiredError {
  return new ConnectionRetiredError(
    `This connection belonged to the database user "${username}", whose lease is over, and was still in use when the time to drain had passed. ` +
      'Release connections sooner, or raise rotation.drainTimeoutMs or the max TTL of the role.',
    { retryable: true },
  )
}

/** A lease that Vault knows no longer is what both steps are after. */
async function attempt(
  steps: RetirementSteps,
  step: 'shorten' | 'revoke',
  withinMs: number,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const tooLong = (): Error => new Error(`${step} took longer than ${withinMs} ms`)
  const limit = deadlineAfter(steps.clock, withinMs, tooLong)
  try {
    await run(limit.signal)
  } catch (error) {
    if (!isLeaseGone(error)) steps.onFailed(step, error)
  } finally {
    limit[Symbol.dispose]()
  }
}
