import { untilInterrupted } from '../signals.ts'
import { type Applying, apply } from './apply.ts'
import type { Change } from './plan.ts'

/** What came of the changes. What failed, and what comes after it, is done by another run. */
export interface Outcome {
  readonly applied: readonly Change[]
  readonly failed?: { readonly change: Change; readonly error: unknown }
  /** The signal that came before all was done. */
  readonly interruptedBy?: NodeJS.Signals
}

/** Makes one change after another, and ends between two when a signal comes. */
export async function applyAll(
  changes: readonly Change[],
  applying: Applying,
  onApplied: (change: Change) => void,
): Promise<Outcome> {
  using interrupted = untilInterrupted()
  let signal: NodeJS.Signals | undefined
  void interrupted.then((came) => {
    signal = came
  })
  const applied: Change[] = []
  for (const change of changes) {
    if (signal) return { applied, interruptedBy: signal }
    try {
      await apply(change, applying)
    } catch (error) {
      return { applied, failed: { change, error } }
    }
    applied.push(change)
    onApplied(change)
  }
  return { applied }
}
