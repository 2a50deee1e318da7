import { VaultError } from '../errors.ts'
import { readSmallFile } from '../small-file.ts'

/** The text in a file that holds a secret and nothing else, without the white space around it. */
export async function readSecretFile(
  what: string,
  path: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const text = (await read(what, path, signal)).trim()
  if (text === '') throw secretFileError(what, path, 'is empty')
  return text
}

/** Whoever writes the file may do so later: trying again can help. */
export function secretFileError(what: string, path: string, why: string, cause?: unknown): VaultError {
  return new VaultError(`The ${what} file ${path} ${why}. Does whatever writes it run?`, {
    code: 'ERR_VAULT_LOGIN_FAILED',
    retryable: true,
    cause,
  })
}

async function read(what: string, path: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    return await readSmallFile(path, signal)
  } catch (cause) {
    throw secretFileError(what, path, 'cannot be read', cause)
  }
}
