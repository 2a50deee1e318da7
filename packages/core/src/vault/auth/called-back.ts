import { VaultLeaseError } from '../../errors.ts'
import { VaultError } from '../errors.ts'

/** What a function of the caller's gives. What it throws is the cause of an error that names it. */
export async function calledBack(
  name: string,
  give: () => unknown,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  try {
    return await give()
  } catch (cause) {
    signal?.throwIfAborted()
    if (cause instanceof VaultLeaseError) throw cause
    throw new VaultError(`The function "${name}" of the login failed. Its error is the cause.`, {
      code: 'ERR_VAULT_LOGIN_FAILED',
      retryable: true,
      cause,
    })
  }
}
