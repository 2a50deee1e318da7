/** Milliseconds of performance.now(), both ends included. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** One operation that failed. */
export interface Failure extends Span {
  readonly error: unknown
}

/** What happened to the credential of one application. */
export type LifeEvent =
  | { readonly at: number; readonly is: 'alive'; readonly until: number }
  /** It went out of force; `gone`: the database knew the user no more, or would not let it in. */
  | { readonly at: number; readonly is: 'dropped'; readonly gone: boolean }

/** The credential's end is known to the moment at which its last request was sent, which is a little earlier. */
const toleranceMs = 300

/**
 * When there was no live credential: from its end, or from when the database had dropped the user, to the next one. A credential
 * that was given up before either was alive: who failed then was failed by us.
 */
export function spansWithout(events: readonly LifeEvent[], end: number): Span[] {
  const spans: Span[] = []
  let until = Number.NEGATIVE_INFINITY
  for (const [index, event] of events.entries()) {
    if (event.is === 'alive') {
      until = event.until
      continue
    }
    const next = events.slice(index).find(({ is }) => is === 'alive')?.at ?? end
    if (event.gone || event.at >= until - toleranceMs)
      spans.push({ from: Math.min(event.at, until), to: next })
  }
  return spans
}

/** The failures that nothing excuses. */
export function unexcused(failures: readonly Failure[], excuses: readonly Span[]): Failure[] {
  return failures.filter(({ from, to }) => !excuses.some((span) => from <= span.to && to >= span.from))
}
