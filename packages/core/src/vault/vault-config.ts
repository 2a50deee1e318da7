import type { RateLimitTerms } from '../resilience/rate-limit.ts'
import { checkNamespace, checkProxy, readAddresses, type VaultAddresses } from './address.ts'
import type { AuthMethod } from './auth/auth.ts'
import { defaultAuth } from './auth/default-auth.ts'
import { methodOf } from './auth/method-of.ts'
import type { CircuitBreakerTerms } from './circuit-breaker.ts'
import { readEnvironment } from './environment.ts'
import { resolveTls, type TlsOptions } from './tls.ts'
import { checkVaultOptions, type VaultOptions } from './vault-options.ts'

/** What a Vault is made of: options, environment and defaults in one, nothing of it open. */
export interface VaultConfig {
  readonly addresses: VaultAddresses
  readonly namespace: string | undefined
  readonly auth: AuthMethod
  readonly tls: TlsOptions
  readonly proxy: string | undefined
  readonly timeoutMs: number
  readonly maxRetries: number
  readonly circuitBreaker: CircuitBreakerTerms
  readonly rateLimit: RateLimitTerms | undefined
  readonly followRedirects: boolean
}

const defaultAddress = 'https://127.0.0.1:8200'
const defaultTimeoutMs = 60_000
const defaultMaxRetries = 2
const defaultFailures = 5
const defaultPauseMs = 30_000

/**
 * Reads the options once, and the VAULT_* variables for what they leave out.
 *
 * @throws InvalidOptionError for an unknown option, a value that cannot be used, and when there is no way to log in.
 */
export function readVaultConfig(options: VaultOptions, env: NodeJS.ProcessEnv): VaultConfig {
  const { circuitBreaker, ...given } = checkVaultOptions(options)
  const environment = readEnvironment(env)
  const rateLimit = given.rateLimit ?? environment.rateLimit
  return {
    addresses: readAddresses(given.address ?? environment.address ?? defaultAddress),
    // An empty one says that there is none, whatever the environment has.
    namespace: checkNamespace(given.namespace ?? environment.namespace) || undefined,
    auth: given.auth ? methodOf(given.auth) : defaultAuth(environment),
    tls: resolveTls(given.tls ?? {}, environment),
    proxy: checkProxy(given.proxy ?? environment.proxy),
    timeoutMs: given.timeoutMs ?? environment.timeoutMs ?? defaultTimeoutMs,
    maxRetries: given.maxRetries ?? environment.maxRetries ?? defaultMaxRetries,
    circuitBreaker: {
      failures: circuitBreaker?.failures ?? defaultFailures,
      pauseMs: circuitBreaker?.pauseMs ?? defaultPauseMs,
    },
    rateLimit: rateLimit && {
      rate: rateLimit.rate,
      burst: rateLimit.burst ?? Math.max(1, Math.floor(rateLimit.rate)),
    },
    followRedirects: environment.followRedirects ?? true,
  }
}
