import * as z from 'zod/mini'
import { checkOptions } from '../options/check-options.ts'
import type { RateLimitOptions } from '../resilience/rate-limit.ts'
import { readAddresses } from './address.ts'
import type { AuthFunction, AuthMethod } from './auth/auth.ts'
import type { CircuitBreakerOptions } from './circuit-breaker.ts'
import type { TlsOptions } from './tls.ts'

/** Which Vault, and how to come in. Everything is optional: the VAULT_* variables are the default. */
export interface VaultOptions {
  /**
   * Where Vault is: http://, https://, or unix:// and the path of a socket of Vault Agent or Proxy. Several addresses are those of
   * one cluster: the one that answered last is asked first, and a standby may redirect to any of them, with the token, but to
   * nobody else. Default: VAULT_AGENT_ADDR, VAULT_ADDR, else https://127.0.0.1:8200.
   */
  readonly address?: string | readonly string[] | undefined
  /** Default: VAULT_NAMESPACE. */
  readonly namespace?: string | undefined
  /**
   * `token()`, `tokenFile()`, `appRole()`, `kubernetes()`, `jwt()`, `userpass()`, `cert()`, `none()`, or a function of your own.
   * Default: the token in VAULT_TOKEN; else none beside VAULT_AGENT_ADDR; else the file ~/.vault-token, if there is one.
   */
  readonly auth?: AuthMethod | AuthFunction | undefined
  readonly tls?: TlsOptions | undefined
  /** The address of an HTTP proxy. Default: VAULT_PROXY_ADDR, VAULT_HTTP_PROXY; HTTP_PROXY is not read. */
  readonly proxy?: string | undefined
  /** How long one request may take, in milliseconds. Default: VAULT_CLIENT_TIMEOUT, else 60,000. */
  readonly timeoutMs?: number | undefined
  /** How often a request is repeated that failed for a reason that passes. Default: VAULT_MAX_RETRIES, else 2. */
  readonly maxRetries?: number | undefined
  /** When Vault is left alone because it fails. */
  readonly circuitBreaker?: CircuitBreakerOptions | undefined
  /** How often Vault may be asked. Default: VAULT_RATE_LIMIT, else as often as there is a reason to. */
  readonly rateLimit?: RateLimitOptions | undefined
}

/** An empty one, of a variable that is missing, must not lead to the public authorities. */
const authority = z
  .string()
  .check(z.minLength(1, 'it is empty: leave the option out for the authorities that Node trusts'))

const optionSchema = z.strictObject({
  address: z.optional(
    z.union([z.string(), z.array(z.string())], {
      error: 'a text is needed, or a list of texts',
    }),
  ),
  namespace: z.optional(z.string()),
  auth: z.optional(
    z.custom<AuthMethod | AuthFunction>(
      isAuth,
      'it takes what token(), appRole(), kubernetes() … return, or a function',
    ),
  ),
  tls: z.optional(
    z.strictObject({
      caCert: z.optional(authority),
      caCertFile: z.optional(authority),
      caPath: z.optional(authority),
      clientCertFile: z.optional(z.string()),
      clientKeyFile: z.optional(z.string()),
      serverName: z.optional(z.string()),
      skipVerify: z.optional(z.boolean()),
    }),
  ),
  proxy: z.optional(z.string()),
  timeoutMs: z.optional(z.number().check(z.positive())),
  maxRetries: z.optional(z.int().check(z.nonnegative())),
  circuitBreaker: z.optional(
    z.strictObject({
      failures: z.optional(z.int().check(z.positive())),
      pauseMs: z.optional(z.number().check(z.nonnegative())),
    }),
  ),
  rateLimit: z.optional(
    z.strictObject({
      rate: z.number().check(z.positive()),
      burst: z.optional(z.int().check(z.positive())),
    }),
  ),
})

function isAuth(value: unknown): boolean {
  if (typeof value === 'function') return true
  return typeof value === 'object' && value !== null && 'logIn' in value && typeof value.logIn === 'function'
}

/**
 * The options, each read once, whether the object has it itself or by its class.
 *
 * @throws InvalidOptionError for what is wrong in the options alone, whatever the environment adds.
 */
export function checkVaultOptions(options: VaultOptions): VaultOptions {
  const checked = checkOptions('The Vault options', optionSchema, options)
  if (checked.address !== undefined) readAddresses(checked.address)
  return checked
}
