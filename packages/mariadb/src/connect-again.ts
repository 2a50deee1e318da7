import { VaultLeaseError } from '@vault-lease/core'
import { awaited, isMySqlRefusal, pause, systemClock } from '@vault-lease/core/adapter'

/** As the driver's pool does. */
const pauseMs = 500

/**
 * What may pass is tried again for a while, as the driver's pool does: a database that restarts, a login that took too long.
 *
 * @throws what connecting failed with, also when the signal is aborted meanwhile.
 */
export async function connectAgain<Connected>(
  connect: () => Promise<Connected>,
  { forMs, signal }: { readonly forMs: number; readonly signal: AbortSignal },
): Promise<Connected> {
  const until = systemClock.now() + forMs
  for (;;) {
    try {
      return await connect()
    } catch (error) {
      const isFinal = error instanceof VaultLeaseError || isMySqlRefusal(error)
      if (isFinal || systemClock.now() + pauseMs > until) throw error
      await awaited(systemClock, pause(systemClock, pauseMs, signal))
      if (signal.aborted) throw error
    }
  }
}
