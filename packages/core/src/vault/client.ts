import { randomUUID } from 'node:crypto'
import type nodeVault from 'node-vault'
import { type CacheUse, readAnswer, type TimedAnswer } from './answer.ts'
import type { Wire, WireRequest } from './transport.ts'

/** One call of Vault's API. */
export interface VaultRequest {
  readonly method: 'GET' | 'LIST' | 'PUT' | 'POST' | 'DELETE'
  /** Below /v1/, without a slash before it; what stands between two slashes is URI-encoded. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: Readonly<Record<string, unknown>> | undefined
}

/** A call, how long it is waited for, and which answer will do. */
export interface ClientRequest extends VaultRequest {
  readonly signal?: AbortSignal | undefined
  /** Ask Vault itself, also through a cache. */
  readonly pastCache?: boolean | undefined
}

/** node-vault, with our own transport in place of its HTTP client. */
export class VaultClient {
  readonly #namespace: string
  readonly #transport: Wire
  #nodeVault: Promise<nodeVault.client> | undefined

  constructor(namespace: string | undefined, transport: Wire) {
    this.#namespace = namespace ?? ''
    this.#transport = transport
  }

  /** Sends once, without a retry. Rejects with a VaultError. */
  async send({ method, path, body, signal, pastCache }: ClientRequest, token?: string): Promise<TimedAnswer> {
    this.#nodeVault ??= this.#load()
    const client = await this.#nodeVault
    const exchange: Exchange = {}
    const answer: unknown = await client.request({
      path: `/${path}`,
      method,
      headers: {
        ...(token !== undefined && { 'X-Vault-Token': token }),
        // A cache takes requests with different headers for different ones (agentproxyshared/cache of Vault).
        ...(pastCache && { 'X-Vault-Lease-Fresh': randomUUID() }),
      },
      json: body ?? true,
      signal,
      exchange,
    })
    return readAnswer(answer, exchange, `${method} ${path}`)
  }

  /** node-vault takes long to load: whoever only imports the library does not pay for it. */
  async #load(): Promise<nodeVault.client> {
    const { default: create } = await import('node-vault')
    const client = create({
      // The transport knows better: there can be several servers.
      endpoint: 'http://localhost',
      // node-vault logs bodies with their secrets when DEBUG is set.
      debug: () => {},
      'request-promise': { defaults: () => (options: NodeVaultRequest) => this.#send(options) },
    })
    // node-vault reads these from the environment by itself; here they come with each request, or from our options.
    return Object.assign(client, { token: '', pathPrefix: '', namespace: this.#namespace })
  }

  async close(): Promise<void> {
    await this.#transport.close()
  }

  async #send({ method, path, headers, json, signal, exchange }: NodeVaultRequest): Promise<NodeVaultAnswer> {
    const wire: WireRequest = { method, path: path.slice(1), headers, signal }
    const { body, sentAt, ageMs, cache } = await this.#transport.send(
      json === true ? wire : { ...wire, json },
    )
    Object.assign(exchange, { sentAt, ageMs, cache })
    return { statusCode: 200, body, request: { path } }
  }
}

/** node-vault gives back a body only: this goes along with the request and brings back the rest. */
interface Exchange {
  sentAt?: number
  ageMs?: number
  cache?: CacheUse
}

interface NodeVaultRequest {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  /** The body; `true` when there is none. */
  readonly json: unknown
  readonly signal: AbortSignal | undefined
  readonly exchange: Exchange
}

interface NodeVaultAnswer {
  readonly statusCode: number
  readonly body: unknown
  readonly request: { readonly path: string }
}
