import { readFile } from 'node:fs/promises'
import { VaultError } from '../errors.ts'
import type { AuthMethod } from './auth.ts'
import { canBeToken } from './token.ts'

/**
 * A token in a file, for example a sink of Vault Agent or `~/.vault-token`. Read anew at each login, so that whoever
 * replaces the file replaces the token. It is renewed while it can be, and never revoked.
 */
export function tokenFile(path: string): AuthMethod {
  return {
    name: 'token-file',
    async logIn({ signal }) {
      const token = (await readToken(path, signal)).trim()
      if (token === '') throw noToken(path, 'is empty')
      if (!canBeToken(token)) throw noToken(path, 'holds something that is not a token')
      return { kind: 'given', token }
    },
  }
}

async function readToken(path: string, signal: AbortSignal | undefined): Promise<string> {
  try {
    return await readFile(path, signal ? { encoding: 'utf8', signal } : 'utf8')
  } catch (cause) {
    throw noToken(path, 'cannot be read', cause)
  }
}

function noToken(path: string, why: string, cause?: unknown): VaultError {
  return new VaultError(`The token file ${path} ${why}. Does whatever writes it run?`, {
    code: 'ERR_VAULT_LOGIN_FAILED',
    retryable: true,
    cause,
  })
}
