import { InvalidOptionError } from '../../errors.ts'
import type { AuthMethod, LoginContext } from './auth.ts'
import { identityOf } from './identity.ts'
import { readSecretFile, secretFileError } from './secret-file.ts'
import { canBeToken } from './token.ts'
import { Unwrapped } from './unwrapped.ts'

/**
 * A token in a file, for example a sink of Vault Agent, wrapped or not, or `~/.vault-token`. Read anew at each login, so that
 * whoever replaces the file replaces the token. It is renewed while it can be, and never revoked.
 *
 * @throws InvalidOptionError when there is no path.
 */
export function tokenFile(path: string): AuthMethod {
  if (typeof path !== 'string' || path === '') throw new InvalidOptionError('tokenFile() needs a path.')
  const unwrapped = new Unwrapped('token')
  return {
    name: 'token-file',
    identity: identityOf('token-file', path),
    async logIn(context) {
      const text = await readSecretFile('token', path, context.signal)
      const token = text.startsWith('{') ? await tokenIn(text, context) : text
      if (!canBeToken(token)) throw notAToken(path)
      return { kind: 'given', token }
    },
  }

  /** A wrapped sink is the wrap_info of Vault's answer, as JSON. */
  async function tokenIn(text: string, context: LoginContext): Promise<string> {
    const wrappingToken = wrappingTokenIn(text)
    if (wrappingToken === undefined) throw notAToken(path)
    return await unwrapped.secretIn(wrappingToken, context, ({ auth, data }) => auth?.token ?? data['token'])
  }
}

function wrappingTokenIn(text: string): string | undefined {
  try {
    const sink: unknown = JSON.parse(text)
    const isWrapInfo = typeof sink === 'object' && sink !== null && 'token' in sink && 'creation_time' in sink
    return isWrapInfo && typeof sink.token === 'string' && canBeToken(sink.token) ? sink.token : undefined
  } catch {
    return undefined
  }
}

function notAToken(path: string): Error {
  return secretFileError('token', path, 'holds something that is not a token')
}
