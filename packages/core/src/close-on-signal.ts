import { InvalidOptionError } from './errors.ts'
import { noteStop } from './health/stopping.ts'

/**
 * What can be closed: an HTTP server or a lease manager, a knex or a DataSource, a pool, a PrismaClient, or a function of
 * your own.
 */
export type Closable =
  | AsyncDisposable
  | { destroy(): unknown }
  | { end(): unknown }
  | { close(): unknown }
  | { $disconnect(): unknown }
  | (() => unknown)

const signals = ['SIGTERM', 'SIGINT'] as const
const exitCodes = { SIGTERM: 143, SIGINT: 130 } as const
/** Kubernetes kills a container 30 s after SIGTERM by default. */
const closeWithinMs = 25_000

/**
 * Closes what is given, one after another, when the process gets SIGTERM or SIGINT, and then exits with the signal's own
 * code (143, 130). Give the HTTP server first and the database last. A second signal, or 25 s, ends the wait. From the signal on
 * `healthOf()` is not ready.
 * For applications: the library installs no signal handler by itself.
 *
 * @example
 * closeOnSignal(server, db)
 *
 * @throws InvalidOptionError when there is nothing to close, or something that cannot be closed.
 * @returns the way to remove the handlers again.
 */
export function closeOnSignal(...closables: readonly Closable[]): () => void {
  if (closables.length === 0 || !closables.every(isClosable)) {
    throw new InvalidOptionError(
      'closeOnSignal() takes what can be closed: a server, a pool, a client, or functions of your own.',
    )
  }
  let closing = false
  const onSignal = (signal: (typeof signals)[number]): void => {
    const exit = (): never => process.exit(exitCodes[signal])
    if (closing) exit()
    closing = true
    noteStop(signal)
    // Not unref'd on purpose: it is what ends the process when nothing else does.
    setTimeout(exit, closeWithinMs)
    closeAll(closables).then(exit, (error: unknown) => {
      console.error('closeOnSignal:', error instanceof Error ? error.message : error)
      exit()
    })
  }
  for (const signal of signals) process.on(signal, onSignal)
  return () => {
    for (const signal of signals) process.off(signal, onSignal)
  }
}

/** A failure of one does not keep the next from closing. */
async function closeAll(closables: readonly Closable[]): Promise<void> {
  const errors: unknown[] = []
  for (const closable of closables) {
    try {
      await closeOne(closable)
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

function isClosable(closable: unknown): boolean {
  if (typeof closable === 'function') return true
  const ways = [Symbol.asyncDispose, 'destroy', 'end', '$disconnect', 'close']
  return typeof closable === 'object' && closable !== null && ways.some((way) => way in closable)
}

function closeOne(closable: Closable): unknown {
  if (Symbol.asyncDispose in closable) return closable[Symbol.asyncDispose]()
  if ('destroy' in closable) return closable.destroy()
  if ('end' in closable) return closable.end()
  if ('$disconnect' in closable) return closable.$disconnect()
  if ('close' in closable) return closable.close()
  return closable()
}
