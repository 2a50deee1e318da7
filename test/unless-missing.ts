import { ServerUnavailableError } from '@vault-lease/testing'

/**
 * Why something is not to be had on this machine, for `describe.skipIf()`; `undefined` when it is there. In CI it has to be.
 */
export async function missing(get: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await get()
    return undefined
  } catch (error) {
    if (process.env['CI'] || !(error instanceof ServerUnavailableError)) throw error
    console.error(`SKIPPED: ${error.message}`)
    return error.message
  }
}
