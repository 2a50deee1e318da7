import { InvalidOptionError } from '../errors.ts'
import type { RateLimitOptions } from '../resilience/rate-limit.ts'

/** What the VAULT_* variables say. Absent ones are absent here. */
export interface VaultEnvironment {
  readonly address?: string
  readonly token?: string
  readonly namespace?: string
  readonly caCertFile?: string
  readonly caCert?: string
  readonly caPath?: string
  readonly clientCertFile?: string
  readonly clientKeyFile?: string
  readonly serverName?: string
  readonly skipVerify?: boolean
  readonly proxy?: string
  readonly timeoutMs?: number
  readonly maxRetries?: number
  readonly followRedirects?: boolean
  readonly rateLimit?: RateLimitOptions
  /** Whether the address is that of an Agent. */
  readonly behindAgent?: boolean
  /** The folder of the user. */
  readonly home?: string
}

/**
 * Reads the variables that Vault's own client reads, with the meaning they have there (github.com/hashicorp/vault/api,
 * Config.ReadEnvironment): VAULT_AGENT_ADDR goes before VAULT_ADDR, VAULT_CACERT before VAULT_CACERT_BYTES,
 * VAULT_PROXY_ADDR before VAULT_HTTP_PROXY, a number in VAULT_CLIENT_TIMEOUT is in seconds and 0 is the default. HTTP_PROXY and HTTPS_PROXY are not read: a proxy for Vault is named as such.
 *
 * @throws InvalidOptionError for a value that cannot be read.
 */
export function readEnvironment(env: NodeJS.ProcessEnv): VaultEnvironment {
  const text = (name: string): string | undefined => env[name]?.trim() || undefined
  return defined({
    address: text('VAULT_AGENT_ADDR') ?? text('VAULT_ADDR'),
    token: text('VAULT_TOKEN'),
    namespace: text('VAULT_NAMESPACE'),
    caCertFile: text('VAULT_CACERT'),
    caCert: text('VAULT_CACERT') === undefined ? text('VAULT_CACERT_BYTES') : undefined,
    caPath: text('VAULT_CAPATH'),
    clientCertFile: text('VAULT_CLIENT_CERT'),
    clientKeyFile: text('VAULT_CLIENT_KEY'),
    serverName: text('VAULT_TLS_SERVER_NAME'),
    skipVerify: parsed('VAULT_SKIP_VERIFY', text, parseBool, boolForm),
    proxy: text('VAULT_PROXY_ADDR') ?? text('VAULT_HTTP_PROXY'),
    timeoutMs:
      parsed('VAULT_CLIENT_TIMEOUT', text, parseDuration, 'seconds, or a duration such as 90s') || undefined,
    maxRetries: parsed('VAULT_MAX_RETRIES', text, parseCount, 'a whole number'),
    rateLimit: parsed('VAULT_RATE_LIMIT', text, parseRateLimit, 'requests per second, as 10 or 100:200'),
    behindAgent: text('VAULT_AGENT_ADDR') === undefined ? undefined : true,
    home: text('HOME') ?? text('USERPROFILE'),
    followRedirects: not(parsed('VAULT_DISABLE_REDIRECTS', text, parseBool, boolForm)),
  })
}

const boolForm = 'true or false'

function parsed<T>(
  name: string,
  text: (name: string) => string | undefined,
  parse: (text: string) => T | undefined,
  form: string,
): T | undefined {
  const given = text(name)
  if (given === undefined) return undefined
  const value = parse(given)
  if (value === undefined) throw new InvalidOptionError(`The environment variable ${name} takes ${form}.`)
  return value
}

/** Go's strconv.ParseBool. */
function parseBool(text: string): boolean | undefined {
  if (['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false
  return undefined
}

const unitMs = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
])

/** Seconds, or a Go duration such as 1m30s. */
function parseDuration(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1_000
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)
  return Array.from(parts, ([, count, unit]) => Number(count) * (unitMs.get(unit ?? '') ?? 0)).reduce(
    (a, b) => a + b,
  )
}

/** Requests per second, and how many may come at once: 10, 0.5 or 100:200. */
function parseRateLimit(text: string): RateLimitOptions | undefined {
  const [, rate, burst] = /^(\d+(?:\.\d+)?)(?::([1-9]\d*))?$/.exec(text) ?? []
  if (!(Number(rate) > 0)) return undefined
  return { rate: Number(rate), ...(burst !== undefined && { burst: Number(burst) }) }
}

function parseCount(text: string): number | undefined {
  return /^\d+$/.test(text) ? Number(text) : undefined
}

function not(value: boolean | undefined): boolean | undefined {
  return value === undefined ? undefined : !value
}

function defined<T extends object>(object: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [Key in keyof T]?: Exclude<T[Key], undefined>
  }
}
