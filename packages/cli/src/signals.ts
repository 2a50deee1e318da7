import { constants } from 'node:os'

/** What ends programs, when nobody listens. */
export const endingSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type EndingSignal = (typeof endingSignals)[number]

/** A terminal's signal comes once more from who passes signals on, as `npx` does. */
const sameSignalWithinMs = 500

/** A signal came before the work was done. */
export class Interrupted extends Error {
  readonly code = 'ERR_INTERRUPTED'
  /** As a shell tells it: 128 and the number of the signal. */
  readonly exitCode: number

  constructor(signal: NodeJS.Signals) {
    super(`Ended by ${signal}.`)
    this.exitCode = exitCodeAfter(signal)
  }
}

/** As a shell tells it: 128 and the number of the signal. */
export function exitCodeAfter(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}

/**
 * Resolves with the first signal that ends programs; a second one ends this one at once. Keeps the process alive until then, or
 * until it is disposed of.
 */
export function untilInterrupted(): Promise<EndingSignal> & Disposable {
  // A promise alone keeps no process alive.
  const alive = setInterval(() => {}, 60_000)
  let interrupt = (_signal: EndingSignal): void => {}
  const ignore = (): void => {
    for (const signal of endingSignals) process.off(signal, interrupt)
  }
  const dispose = (): void => {
    clearInterval(alive)
    ignore()
  }
  const interrupted = new Promise<EndingSignal>((resolve) => {
    interrupt = (signal) => {
      clearInterval(alive)
      setTimeout(ignore, sameSignalWithinMs).unref()
      resolve(signal)
    }
  })
  for (const signal of endingSignals) process.on(signal, interrupt)
  return Object.assign(interrupted, { [Symbol.dispose]: dispose })
}

/**
 * What the work gives, unless a signal comes before. The work goes on then: it is for the caller to end it.
 *
 * @throws Interrupted
 */
export async function unlessInterrupted<T>(interrupted: Promise<EndingSignal>, work: Promise<T>): Promise<T> {
  return await Promise.race([
    work,
    interrupted.then((signal) => {
      throw new Interrupted(signal)
    }),
  ])
}
