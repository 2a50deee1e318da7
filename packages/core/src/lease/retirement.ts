import {
  ConnectionRetiredError,
  CredentialSourceError,
  LeaseClosedError,
  VaultLeaseError,
} from '../errors.ts'
import { type Clock, deadlineAfter, sleep } from '../resilience/clock.ts'
import type { CredentialSource } from '../source/source.ts'
import type { Attachment } from './attachment.ts'
import type { Retired, Turns } from './consumer.ts'
import type { Generation } from './generation.ts'

/** The last two steps of a rotation, retire and revoke, for one generation. */
export interface RetirementSteps {
  readonly retiring: Generation
  readonly source: CredentialSource
  readonly attachments: Iterable<Attachment>
  readonly clock: Clock
  /** When its connections have to be gone. */
  readonly deadline: number
  /** When they are replaced; `undefined`: at once. */
  readonly turns: Turns | undefined
  /** Aborted when the manager begins to close: nothing is waited for any more that may take long. */
  readonly closing: AbortSignal
  /** Aborted when the time to drain has passed while closing: the drain ends. */
  readonly closeNow: AbortSignal
  /** When the whole close has to be over. */
  closeBy(): number
  onRetired(retired: Retired): void
  onRevoked(): void
  onFailed(step: 'retire' | 'shorten' | 'revoke', error: unknown): void
}

/** Vault counts in whole seconds, and the revocation comes before the shortened end. */
const shortenMarginMs = 2_000
const revokeWithinMs = 15_000
const shortestRevokeMs = 250
const shortestMs = 1_000
const endWithoutWaitingMs = 5_000
const firstPauseMs = 1_000
const longestPauseMs = 60_000

/** Never rejects: what fails is told through `onFailed`, and the lease ends by itself then. */
export async function retireAndRevoke(steps: RetirementSteps): Promise<void> {
  if (!steps.retiring.issued.lease.revocable) return await retire(steps)
  const drained = new AbortController()
  const shortened = shortenInCaseOfCrash(steps, drained.signal)
  await retire(steps)
  drained.abort()
  await shortened
  await revoke(steps)
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

/** Tries again until the lease ends by itself, or once more when the manager closes. */
async function revoke(steps: RetirementSteps): Promise<void> {
  const { clock, closing, retiring, source } = steps
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    const last = closing.aborted
    const withinMs = last ? Math.max(shortestRevokeMs, (steps.closeBy() - clock.now()) / 2) : revokeWithinMs
    const failure = await failureOf(steps, 'revoke', withinMs, (signal) =>
      source.revoke(retiring.issued, { signal, deadline: last ? clock.now() : undefined }),
    )
    if (failure === undefined) return steps.onRevoked()
    steps.onFailed('revoke', failure)
    if (failure instanceof VaultLeaseError && !failure.retryable) return await endSoon(steps)
    if (last) return await leaveToSource(steps)
    if (clock.now() + pauseMs >= retiring.issued.lease.end) return
    await sleep(clock, pauseMs, closing).catch(() => {})
  }
}

/** The database may be what does not answer: then Vault goes on trying when we are gone. */
async function leaveToSource(steps: RetirementSteps): Promise<void> {
  const revoke = (signal: AbortSignal): Promise<void> =>
    steps.source.revokeInBackground(steps.retiring.issued, { signal, deadline: steps.clock.now() })
  const failure = await failureOf(steps, 'revoke', endWithoutWaitingMs, revoke)
  if (failure !== undefined) steps.onFailed('revoke', failure)
}

/** A policy may forbid to revoke and allow to renew. */
async function endSoon(steps: RetirementSteps): Promise<void> {
  const { lease } = steps.retiring.issued
  const shorten = (signal: AbortSignal): Promise<void> => steps.source.shorten(lease, shortestMs, signal)
  const failure = await failureOf(steps, 'shorten', endWithoutWaitingMs, shorten)
  if (failure !== undefined) steps.onFailed('shorten', failure)
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

/** Why it failed, if it did. */
async function failureOf(
  { clock, source }: RetirementSteps,
  step: 'shorten' | 'revoke',
  withinMs: number,
  run: (signal: AbortSignal) => Promise<void>,
  parent?: AbortSignal,
): Promise<unknown> {
  const tooLong = (): Error =>
    new CredentialSourceError(
      `To ${step} the lease of ${source.description} took longer than ${Math.round(withinMs)} ms: it ends by itself if that goes on.`,
    )
  const limit = deadlineAfter(clock, withinMs, tooLong, parent)
  try {
    await run(limit.signal)
    return undefined
  } catch (error) {
    return error
  } finally {
    limit[Symbol.dispose]()
  }
}
