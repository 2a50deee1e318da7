import { CredentialSourceError, VaultLeaseError } from '../errors.ts'
import { type Clock, deadlineAfter, pause } from '../resilience/clock.ts'
import type { Lease } from '../source/lease.ts'
import type { CredentialSource } from '../source/source.ts'

/** A lease that nobody lives by any more, and who is told what becomes of it. */
export interface EndOfLease {
  readonly lease: Lease
  readonly source: CredentialSource
  readonly clock: Clock
  /** Aborted when the manager begins to close: nothing is waited for any more that may take long. */
  readonly closing: AbortSignal
  /** When the whole close has to be over. */
  closeBy(): number
  onRevoked(): void
  onFailed(step: 'shorten' | 'revoke', error: unknown): void
}

const revokeWithinMs = 15_000
const shortenWithinMs = 5_000
/** What a close leaves for the end of a lease, however much of its own time is left. */
const closeLeavesMs = 5_000
const shortestMs = 250
const shortestLeaseMs = 1_000
const firstPauseMs = 1_000
const longestPauseMs = 60_000

/**
 * The only way in which a lease is given up: revoked, else shortened, else told. What may pass is tried again, until the lease
 * ends by itself, or once more when the manager closes. Never rejects.
 */
export async function endLease(end: EndOfLease): Promise<void> {
  const { clock, closing, lease } = end
  let mayRevoke = true
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    const last = closing.aborted
    const by = Math.min(end.closeBy(), clock.now() + closeLeavesMs)
    if (mayRevoke) {
      const failure = await revoke(end, last ? (by - clock.now()) / 2 : revokeWithinMs, last)
      if (failure === undefined) return end.onRevoked()
      mayRevoke = mayPass(failure)
    }
    // A policy may forbid to revoke and allow to renew.
    if (!mayRevoke) {
      const failure = await shorten(end, last)
      if (failure === undefined || !mayPass(failure)) return
    } else if (last) await leaveToSource(end, by - clock.now())
    if (last || (!closing.aborted && clock.now() + pauseMs >= lease.end)) return
    await pause(clock, pauseMs, closing)
  }
}

function revoke(end: EndOfLease, withinMs: number, last: boolean): Promise<unknown> {
  const { clock, closing, lease, source } = end
  const deadline = last ? clock.now() : undefined
  return attempt(end, 'revoke', withinMs, last ? undefined : closing, (signal) =>
    source.revoke(lease, { signal, deadline }),
  )
}

function shorten(end: EndOfLease, last: boolean): Promise<unknown> {
  const { closing, lease, source } = end
  return attempt(end, 'shorten', shortenWithinMs, last ? undefined : closing, (signal) =>
    source.shorten(lease, shortestLeaseMs, signal),
  )
}

/** The database may be what does not answer: then Vault goes on trying when we are gone. */
async function leaveToSource(end: EndOfLease, withinMs: number): Promise<void> {
  const { clock, lease, source } = end
  await attempt(end, 'revoke', withinMs, undefined, (signal) =>
    source.revokeInBackground(lease, { signal, deadline: clock.now() }),
  )
}

/** Why it failed, if it did. That is told, unless the close has cut it short: then it is tried once more. */
async function attempt(
  end: EndOfLease,
  step: 'shorten' | 'revoke',
  withinMs: number,
  cutShort: AbortSignal | undefined,
  run: (signal: AbortSignal) => Promise<void>,
): Promise<unknown> {
  const failure = await failureOf(end, step, Math.max(shortestMs, withinMs), run, cutShort)
  if (failure !== undefined && !cutShort?.aborted) end.onFailed(step, failure)
  return failure
}

function mayPass(failure: unknown): boolean {
  return !(failure instanceof VaultLeaseError) || failure.retryable
}

/** Why a step failed, if it did, in bounded time. */
export async function failureOf(
  { clock, source }: Pick<EndOfLease, 'clock' | 'source'>,
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
