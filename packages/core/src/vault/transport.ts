import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { plainCause, redact } from '../observe/redact.ts'
import { type Clock, deadlineAfter } from '../resilience/clock.ts'
import type { RateLimit } from '../resilience/rate-limit.ts'
import { unlessAborted } from '../resilience/settle.ts'
import { type VaultAddress, writtenAddress } from './address.ts'
import { badAnswer, type CacheUse } from './answer.ts'
import type { Cluster } from './cluster.ts'
import type { Connections } from './connections.ts'
import { errorOf, VaultError } from './errors.ts'
import { tellRequest } from './request-event.ts'

/** One HTTP request to Vault. */
export interface WireRequest {
  readonly method: string
  /** Below /v1/. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly json?: unknown
  readonly signal?: AbortSignal | undefined
}

export interface WireAnswer {
  readonly body: unknown
  /** On the clock: when the request was sent, less the time that a cache has held the answer. */
  readonly sentAt: number
  /** How old the answer is: the time that it took, and that a cache has held it (the Age header). */
  readonly ageMs: number
  readonly cache: CacheUse | undefined
}

export interface TransportOptions {
  readonly cluster: Cluster
  readonly connections: Connections
  readonly rateLimit: RateLimit | undefined
  readonly timeoutMs: number
  readonly followRedirects: boolean
  readonly clock: Clock
}

/** What carries requests to Vault and answers back. */
export interface Wire {
  send(wire: WireRequest): Promise<WireAnswer>
  close(): Promise<void>
}

const largestAnswer = 1024 * 1024
/** Whoever gives up a request after so long has found out that Vault hangs. */
const hangsAfterMs = 3_000

/** The only place that talks to Vault: HTTP with a deadline, an abort signal down to the socket, and redirects under control. */
export class Transport implements Wire {
  readonly #options: TransportOptions

  constructor(options: TransportOptions) {
    this.#options = options
  }

  /** Sends to the first server that answers for itself. Answers that are no success, and every failure, reject with a VaultError. */
  async send(wire: WireRequest): Promise<WireAnswer> {
    await this.#options.rateLimit?.turn(wire.signal)
    return await this.#options.cluster.ask((server) => this.#told(server, wire), wire.signal)
  }

  async close(): Promise<void> {
    this.#options.connections.close()
  }

  async #told(server: VaultAddress, wire: WireRequest): Promise<WireAnswer> {
    const { clock } = this.#options
    const began = clock.now()
    const tell = (error?: unknown): void =>
      tellRequest(writtenAddress(server), wire.path, clock.now() - began, error)
    try {
      const answer = await this.#sendTo(server, wire)
      tell()
      return answer
    } catch (error) {
      tell(error)
      throw error
    }
  }

  async #sendTo(server: VaultAddress, wire: WireRequest): Promise<WireAnswer> {
    const { timeoutMs, clock } = this.#options
    const began = clock.now()
    const timeout = deadlineAfter(clock, timeoutMs, () => timedOut(wire, timeoutMs), wire.signal)
    try {
      return await this.#exchange(wire, server, timeout.signal)
    } catch (error) {
      if (error instanceof VaultError) throw error
      if (wire.signal?.aborted && clock.now() - began >= hangsAfterMs)
        throw givenUp(wire, clock.now() - began, wire.signal.reason)
      if (timeout.signal.aborted) throw timeout.signal.reason
      throw unreachable(server, this.#options.connections.proxy, error)
    } finally {
      timeout[Symbol.dispose]()
    }
  }

  async #exchange(
    wire: WireRequest,
    server: VaultAddress,
    signal: AbortSignal,
    redirected = false,
  ): Promise<WireAnswer> {
    const way = await this.#options.connections.to(server, signal)
    const sentAt = this.#options.clock.now()
    const uri = new URL(`${server.base}/v1/${wire.path}`)
    const { method } = wire
    const request = (uri.protocol === 'https:' ? httpsRequest : httpRequest)(uri, { ...way, method, signal })
    // Not with the options, which NODE_DEBUG prints.
    const headers = { 'user-agent': 'vault-lease', 'x-vault-request': 'true', ...wire.headers }
    for (const [name, value] of Object.entries(headers)) request.setHeader(name, value)
    const body = wire.json === undefined ? undefined : JSON.stringify(wire.json)
    // Node would tell of an abort a moment later, when the next request may have begun with the same server.
    const answer = await unlessAborted(answerTo(request, body), signal)
    const text = await readText(answer, wire)
    const { statusCode: status = 0 } = answer
    if (status === 307 && !redirected) {
      const target = this.#redirectTarget(uri, answer.headers['location'])
      if (target) return await this.#exchange(wire, target, signal, true)
    }
    if (status >= 200 && status < 300) {
      const cachedMs = ageOf(answer.headers['age'])
      const ageMs = this.#options.clock.now() - sentAt + cachedMs
      const cache = cacheOf(first(answer.headers['x-cache']), cachedMs)
      return { body: parse(text, wire), sentAt: sentAt - cachedMs, ageMs, cache }
    }
    throw errorOf({
      method: wire.method,
      path: wire.path,
      status,
      messages: messagesIn(text).map((message) => redact(message, secretsOf(wire))),
      retryAfter: first(answer.headers['retry-after']),
    })
  }

  /** Where a standby may send the token: a server that the caller has listed, and never out of TLS. */
  #redirectTarget(from: URL, to: string | undefined): VaultAddress | undefined {
    if (!to || !this.#options.followRedirects || !URL.canParse(to, from.href)) return undefined
    const target = new URL(to, from)
    const leavesTls = from.protocol === 'https:' && target.protocol !== 'https:'
    return leavesTls ? undefined : this.#options.cluster.serverAt(target)
  }
}

/** Sends a request. Its answer is still to be read. */
function answerTo(request: ClientRequest, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', resolve)
    // Also after the answer: whoever reads that hears of it.
    request.on('error', reject)
    request.end(body)
  })
}

async function readText(answer: IncomingMessage, wire: WireRequest): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > largestAnswer) throw badAnswer('it is longer than 1 MiB', nameOf(wire))
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function parse(text: string, wire: WireRequest): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw badAnswer('it is not JSON', nameOf(wire))
  }
}

/** What a server, or something before it, could repeat in its answer. */
function secretsOf({ headers, json, path }: WireRequest): string[] {
  return [...valuesIn(headers['X-Vault-Token']), ...(carriesSecrets(path) ? valuesIn(json) : [])]
}

/** A login is at whatever path its auth method has. */
function carriesSecrets(path: string): boolean {
  return (path.startsWith('auth/') && !path.startsWith('auth/token/')) || path.startsWith('sys/wrapping/')
}

function valuesIn(json: unknown): string[] {
  if (typeof json === 'string' || typeof json === 'number') return [String(json)]
  return typeof json === 'object' && json !== null ? Object.values(json).flatMap(valuesIn) : []
}

/** An error answer may come from something in between and be anything: only Vault's own form is quoted. */
function messagesIn(text: string): string[] {
  try {
    const body: unknown = JSON.parse(text)
    const errors = typeof body === 'object' && body !== null && 'errors' in body ? body.errors : undefined
    return Array.isArray(errors) ? errors.filter((error) => typeof error === 'string') : []
  } catch {
    return []
  }
}

/** Seconds that a caching proxy has held the answer (RFC 9111, section 5.1; Vault Agent and Proxy send it). */
function ageOf(header: string | string[] | undefined): number {
  const age = Number(first(header) ?? 0)
  return Number.isFinite(age) && age > 0 ? age * 1_000 : 0
}

function cacheOf(header: string | undefined, cachedMs: number): CacheUse | undefined {
  if (header === undefined) return cachedMs > 0 ? 'hit' : undefined
  return header.toLowerCase() === 'hit' ? 'hit' : 'miss'
}

function first(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

function nameOf({ method, path }: WireRequest): string {
  return `${method} ${path}`
}

function timedOut(wire: WireRequest, timeoutMs: number): VaultError {
  return new VaultError(
    `Vault did not answer ${nameOf(wire)} within ${timeoutMs} ms (VAULT_CLIENT_TIMEOUT).`,
    {
      code: 'ERR_VAULT_TIMEOUT',
      retryable: true,
    },
  )
}

function givenUp(wire: WireRequest, waitedMs: number, cause: unknown): VaultError {
  return new VaultError(
    `Vault had not answered ${nameOf(wire)} when it was given up, after ${Math.round(waitedMs)} ms. Check whether Vault, or the database behind it, hangs.`,
    { code: 'ERR_VAULT_TIMEOUT', retryable: true, cause },
  )
}

function unreachable(
  { base, socketPath }: VaultAddress,
  proxy: string | undefined,
  cause: unknown,
): VaultError {
  const { message } = plainCause(cause)
  const through = proxy === undefined ? '' : ` through the proxy ${new URL(proxy).origin}`
  const where = socketPath === undefined ? `${new URL(base).origin}${through}` : `the socket ${socketPath}`
  return new VaultError(`Vault at ${where} cannot be reached: ${message}. Check ${whatToCheck(message)}.`, {
    code: 'ERR_VAULT_UNREACHABLE',
    retryable: true,
    cause,
  })
}

function whatToCheck(message: string): string {
  if (/certificate|self-signed/i.test(message))
    return 'the certificate authority (VAULT_CACERT) and the name in the certificate (VAULT_TLS_SERVER_NAME)'
  // OpenSSL, of a server whose first bytes are none of TLS.
  if (/wrong version number|packet length too long/i.test(message))
    return 'whether it speaks http, and not https, at that port (VAULT_ADDR)'
  return 'the address (VAULT_ADDR) and the network'
}
