import { brandErrorClass } from '../error-brand.ts'
import { type ErrorFacts, VaultLeaseError } from '../errors.ts'
import { redact } from '../observe/redact.ts'

/** The kinds of trouble with Vault, each with its stable code. */
export type VaultErrorCode =
  | 'ERR_VAULT_UNREACHABLE'
  | 'ERR_VAULT_TIMEOUT'
  | 'ERR_VAULT_CIRCUIT_OPEN'
  | 'ERR_VAULT_CLOSED'
  | 'ERR_VAULT_BAD_ANSWER'
  | 'ERR_VAULT_SEALED'
  | 'ERR_VAULT_NAMESPACE_LOCKED'
  | 'ERR_VAULT_STANDBY'
  | 'ERR_VAULT_RATE_LIMITED'
  | 'ERR_VAULT_LAGGING'
  | 'ERR_VAULT_PERMISSION_DENIED'
  | 'ERR_VAULT_TOKEN_INVALID'
  | 'ERR_VAULT_LOGIN_FAILED'
  | 'ERR_VAULT_UNKNOWN_ROLE'
  | 'ERR_VAULT_ROLE_NOT_ALLOWED'
  | 'ERR_VAULT_NO_MOUNT'
  | 'ERR_VAULT_LEASE_GONE'
  | 'ERR_VAULT_LEASE_FINAL'
  | 'ERR_VAULT_DATABASE'
  | 'ERR_VAULT_SERVER'
  | 'ERR_VAULT_REQUEST'

interface VaultErrorFacts extends ErrorFacts {
  readonly code: VaultErrorCode
  readonly status?: number | undefined
  readonly messages?: readonly string[] | undefined
}

/** Vault could not be asked, or answered with an error. */
export class VaultError extends VaultLeaseError {
  static {
    brandErrorClass(VaultError, 'VaultError')
  }

  readonly code: VaultErrorCode
  /** The HTTP status, when there was an answer. */
  readonly status: number | undefined
  /** Everything that Vault said, in its own words. */
  readonly messages: readonly string[]

  constructor(message: string, facts: VaultErrorFacts) {
    super(message, facts)
    this.code = facts.code
    this.status = facts.status
    this.messages = (facts.messages ?? []).map((text) => redact(text))
  }
}

/** An answer of Vault that is not a success. */
export interface Refusal {
  readonly method: string
  readonly path: string
  readonly status: number
  readonly messages: readonly string[]
  readonly retryAfter?: string | undefined
}

interface Kind {
  readonly code: VaultErrorCode
  readonly retryable: boolean
  readonly advice: string
}

/**
 * What an answer means. Vault gives status 400 to every uncoded error, so the words decide (http/sys_lease.go and
 * vault/expiration.go of OpenBao and Vault; each text was seen on OpenBao 2.7).
 */
export function errorOf(refusal: Refusal): VaultError {
  const { status, messages, method, path } = refusal
  const { code, retryable, advice } = kindOf(refusal)
  const said = messages.length > 0 ? `: ${messages.join('; ').replaceAll(/\s+/g, ' ').trim()}` : ''
  const retryAfterMs = retryAfterOf(refusal.retryAfter)
  return new VaultError(`Vault answered ${status} to ${method} ${path}${said}. ${advice}`.trim(), {
    code,
    retryable,
    status,
    messages,
    retryAfterMs,
  })
}

/** PostgreSQL's class of syntax errors and unknown names, and MySQL's syntax error. */
const saysStatementIsWrong = /SQLSTATE 42|Error 1064/

const notOfTheToken = ['internal error', 'local node not active'] as const

function kindOf({ status, messages, path }: Refusal): Kind {
  const said = messages.join('\n')
  const says = (...texts: readonly string[]): boolean => texts.some((text) => said.includes(text))
  const kind = (code: VaultErrorCode, retryable: boolean, advice = ''): Kind => ({ code, retryable, advice })

  if (says('lease not found', 'lease expired', 'invalid lease', 'failed previous revocation attempts'))
    return kind(
      'ERR_VAULT_LEASE_GONE',
      false,
      'The lease is over, and its database user gone: fetch a new credential.',
    )
  if (says('is not renewable', 'past the max TTL', 'batch tokens cannot be'))
    return kind('ERR_VAULT_LEASE_FINAL', false, 'It lives to its end and cannot be extended.')
  // The role of the login was deleted, or its policies were changed: the token lives on, and is not extended.
  if (
    status === 500 &&
    path.endsWith('auth/token/renew-self') &&
    messages.length > 0 &&
    !says(...notOfTheToken)
  )
    return kind('ERR_VAULT_LEASE_FINAL', false, 'It lives to its end and cannot be extended.')
  if (says('unknown role'))
    return kind('ERR_VAULT_UNKNOWN_ROLE', false, `Create it, or correct the role: ${path}.`)
  if (says('is not an allowed role'))
    return kind(
      'ERR_VAULT_ROLE_NOT_ALLOWED',
      false,
      'Add the role to allowed_roles of the database connection.',
    )
  if (says('no handler for route', 'unsupported path') || (status === 404 && !path.startsWith('sys/')))
    return kind(
      'ERR_VAULT_NO_MOUNT',
      false,
      'Is the secrets engine mounted at that path, and in this namespace?',
    )
  if (says('API access to this namespace has been locked'))
    return kind(
      'ERR_VAULT_NAMESPACE_LOCKED',
      true,
      'An administrator has locked the namespace: have it unlocked.',
    )
  if (says('Vault is sealed')) return kind('ERR_VAULT_SEALED', true, 'Unseal it.')
  if (status === 403 && isLogin(path))
    return kind(
      'ERR_VAULT_LOGIN_FAILED',
      false,
      'Is an auth method enabled at that mount, and does it accept what was sent?',
    )
  if (status === 403)
    return kind(
      'ERR_VAULT_PERMISSION_DENIED',
      false,
      `The token is not valid, or no policy allows it ${path}.`,
    )
  if (status === 412 || (status === 429 && messages.length === 0))
    return kind('ERR_VAULT_LAGGING', true, 'This node has not caught up yet: try again.')
  if (status === 429)
    return kind('ERR_VAULT_RATE_LIMITED', true, 'Try again later; raise the quota if this happens often.')
  if (status === 307 || status === 472 || status === 473 || says('local node not active'))
    return kind(
      'ERR_VAULT_STANDBY',
      true,
      'This node is a standby and the active one was not reached through it: list all nodes in the option address, or correct VAULT_ADDR.',
    )
  if (says('invalid role or secret ID', 'invalid role ID', 'invalid secret id'))
    return kind(
      'ERR_VAULT_LOGIN_FAILED',
      false,
      'Check the role id and the secret id, and whether the latter is used up.',
    )
  if (status === 500 && path.includes('/creds/'))
    return kind(
      'ERR_VAULT_DATABASE',
      true,
      saysStatementIsWrong.test(said)
        ? 'The database did not take the statements: correct the creation_statements of the role.'
        : 'Vault could not create the database user: is the database up?',
    )
  if (says('failed to renew entry', 'failed to revoke entry'))
    return kind('ERR_VAULT_DATABASE', true, 'Vault could not reach the database for it.')
  if (says('token had one use left'))
    return kind('ERR_VAULT_REQUEST', false, 'Give a token without a limit of uses (num_uses 0).')
  if (status >= 300 && status < 400)
    return kind(
      'ERR_VAULT_REQUEST',
      false,
      'It redirects, which is not followed: set VAULT_ADDR to the server itself.',
    )
  if (status >= 500 || says('leadership lost', 'failed to persist'))
    return kind('ERR_VAULT_SERVER', true, 'Try again later, and look into the log of Vault.')
  if (isLogin(path))
    return kind(
      'ERR_VAULT_LOGIN_FAILED',
      false,
      'Check the options of the auth method, and its configuration in Vault.',
    )
  return kind('ERR_VAULT_REQUEST', false, `Check the configuration of Vault at ${path}.`)
}

/** Of whatever auth method. */
function isLogin(path: string): boolean {
  return path.startsWith('auth/') && path.includes('/login')
}

/** The header counts whole seconds down to 0 while requests are still refused. */
function retryAfterOf(header: string | undefined): number | undefined {
  if (header === undefined || !/^\d+$/.test(header)) return undefined
  return (Number(header) + 1) * 1_000
}

/** Whether Vault knows the lease no longer. */
export function isLeaseGone(error: unknown): boolean {
  return error instanceof VaultError && error.code === 'ERR_VAULT_LEASE_GONE'
}

/** Whether the token is dead, or a policy forbids it: Vault says the same to both. */
export function isDenied(error: unknown): boolean {
  return error instanceof VaultError && error.code === 'ERR_VAULT_PERMISSION_DENIED'
}

/** Whether it is a policy that forbids it, to a token that lives. Of a dead one Vault has no policies to count errors of. */
export function isForbidden(error: unknown): boolean {
  return (
    isDenied(error) &&
    (error as VaultError).messages.some(
      (text) => text.startsWith('1 error occurred:') && text.includes('permission denied'),
    )
  )
}

/** That the caller has closed what the leases stand on. */
export function vaultClosed(): VaultError {
  return new VaultError('This Vault was closed. Close it after its leases and their pools.', {
    code: 'ERR_VAULT_CLOSED',
  })
}

/** That the token has no life left. */
export function tokenEnded(): VaultError {
  return new VaultError(
    'The Vault token has come to its end. Give a new one, or use an auth method that can log in again.',
    { code: 'ERR_VAULT_TOKEN_INVALID' },
  )
}

/** That the token has one use left, which would end the leases under it. */
export function tokenUsedUp(): VaultError {
  return new VaultError(
    'The Vault token has no use left but its last, with which its leases would die. Give one without a limit of uses (num_uses 0), or use an auth method that can log in again.',
    { code: 'ERR_VAULT_TOKEN_INVALID' },
  )
}

/** Whether the token has no use left but its last. */
export function isTokenUsedUp(error: unknown): boolean {
  return error instanceof VaultError && error.code === 'ERR_VAULT_TOKEN_INVALID' && error.status === undefined
}

/** That nobody knows the token. */
export function deadToken(cause: unknown): VaultError {
  return new VaultError(
    'Vault does not know the token, or no longer: it is wrong, expired or revoked. Give a new one, or use an auth method that can log in again.',
    { code: 'ERR_VAULT_TOKEN_INVALID', retryable: false, status: 403, cause },
  )
}

/** Whether a wrapping token was used before, or its time is over. */
export function isWrappingOver(error: unknown): boolean {
  return (
    error instanceof VaultError && error.messages.some((text) => text.includes('wrapping token is not valid'))
  )
}

/** Whether Vault will never extend the lease again. */
export function isLeaseFinal(error: unknown): boolean {
  return error instanceof VaultError && error.code === 'ERR_VAULT_LEASE_FINAL'
}
