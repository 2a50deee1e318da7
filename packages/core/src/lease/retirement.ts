import { ConnectionRetiredError, LeaseClosedError } from '../errors.ts'
import { deadlineAfter } from '../resilience/clock.ts'
import type { Attachment } from './attachment.ts'
import type { Retired, Turns } from './consumer.ts'
import { type EndOfLease, endLease, failureOf } from './end-lease.ts'
import type { Generation } from './generation.ts'

/** The last two steps of a rotation, retire and revoke, for one generation. */
export interface RetirementSteps extends Omit<EndOfLease, 'lease'> {
  readonly retiring: Generation
  readonly attachments: Iterable<Attachment>
  /** When its connections have to be gone. */
  readonly deadline: number
  /** When they are replaced; `undefined`: at once. */
  readonly turns: Turns | undefined
  /** Aborted when the time to drain has passed while closing: the drain ends. */
  readonly closeNow: AbortSignal
  onRetired(retired: Retired): void
  onFailed(step: 'retire' | 'shorten' | 'revoke', error: unknown): void
}

/** Vault counts in whole seconds, and the revocation comes before the shortened end. */
const shortenMarginMs = 2_000

/** Never rejects: what fails is told through `onFailed`, and the lease ends by itself then. */
export async function retireAndRevoke(steps: RetirementSteps): Promise<void> {
  if (!steps.retiring.issued.lease.revocable) return await retire(steps)
  const drained = new AbortController()
  const shortened = shortenInCaseOfCrash(steps, drained.signal)
  await retire(steps)
  drained.abort()
  await shortened
  await endLease({ ...steps, lease: steps.retiring.issued.lease })
}

/** A process killed in mid-drain cannot revoke: the lease must not outlive the drain by much. */
async function shortenInCaseOfCrash(steps: RetirementSteps, drained: AbortSignal): Promise<void> {
  const { clock, deadline, retiring, source } = steps
  const drainMs = Math.max(0, deadline - clock.now()) + shortenMarginMs
  const wholeSecondsMs = Math.ceil(drainMs / 1_000) * 1_000
  const { lease } = retiring.issued
  if (clock.now() + wholeSecondsMs >= lease.end) return
  const shorten = (signal: AbortSignal): Promise<void> => source.shorten(lease, wholeSecondsMs, signal)
  const failure = await failureOf(steps, 'shorten', wholeSecondsMs, shorten, drained)
  if (failure !== undefined && !drained.aborted) steps.onFailed('shorten', failure)
}

async function retire(steps: RetirementSteps): Promise<void> {
  const { clock, deadline, turns, retiring, attachments } = steps
  const drainMs = Math.max(0, deadline - clock.now())
  const drain = deadlineAfter(clock, drainMs, () => overdueError(retiring.username), steps.closeNow)
  try {
    const stragglerError = (): Error =>
      steps.closing.aborted ? cutShortError() : overdueError(retiring.username)
    const terms = { deadline, signal: drain.signal, stragglerError, ...(turns && { turns }) }
    const outcomes = await Promise.all(
      Array.from(attachments, (attachment) => attachment.retire(retiring, terms)),
    )
    for (const { failure } of outcomes) if (failure !== undefined) steps.onFailed('retire', failure)
    steps.onRetired({
      closed: outcomes.reduce((sum, { closed }) => sum + closed, 0),
      forced: outcomes.reduce((sum, { forced }) => sum + forced, 0),
    })
  } finally {
    drain[Symbol.dispose]()
  }
}

export function cutShortError(): LeaseClosedError {
  return new LeaseClosedError('This connection was still in use when the time to close had passed.')
}

function overdueError(username: string): ConnectionRetiredError {
  return new ConnectionRetiredError(
    `This connection belonged to the database user "${username}", whose lease is over, and was still in use when the time to drain had passed. ` +
      'Release connections sooner, or raise rotation.drainTimeoutMs or the max TTL of the role.',
    { retryable: true },
  )
}
