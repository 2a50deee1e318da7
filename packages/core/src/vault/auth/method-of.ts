import { VaultError } from '../errors.ts'
import type { AuthFunction, AuthMethod, Login } from './auth.ts'
import { calledBack } from './called-back.ts'
import { canBeToken } from './token.ts'

/** The method that a function is. */
export function methodOf(auth: AuthMethod | AuthFunction): AuthMethod {
  if (typeof auth !== 'function') return auth
  return {
    name: 'function',
    async logIn(context) {
      const login = await calledBack('auth', () => auth(context), context.signal)
      if (isLogin(login)) return login
      if (canBeToken(login)) return { kind: 'given', token: login }
      throw new VaultError('The function "auth" has to give a token, or what login() gave.', {
        code: 'ERR_VAULT_LOGIN_FAILED',
      })
    },
  }
}

function isLogin(login: unknown): login is Login {
  return typeof login === 'object' && login !== null && 'kind' in login
}
