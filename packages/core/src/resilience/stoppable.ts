/**
 * Does the work, which begins at once, and has it stopped by `stop` as soon as the signal is aborted: that makes the work fail.
 *
 * @throws the signal's reason when it is aborted already, without the work.
 */
export async function stoppable<T>(
  signal: AbortSignal,
  stop: (reason: Error) => unknown,
  work: () => Promise<T>,
): Promise<T> {
  signal.throwIfAborted()
  const onAbort = (): void => {
    const { reason } = signal
    stop(reason instanceof Error ? reason : new Error(String(reason)))
  }
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await work()
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
