import nodeVault from 'node-vault'
import { readAnswer, type VaultAnswer } from './answer.ts'
import type { Transport, WireRequest } from './transport.ts'

/** One call of Vault's API. */
export interface VaultRequest {
  readonly method: 'GET' | 'PUT' | 'POST'
  /** Below /v1/, encoded by `apiPath`. */
  readonly path: string
  readonly body?: Readonly<Record<string, unknown>> | undefined
  readonly signal?: AbortSignal | undefined
}

/** node-vault, with our own transport in place of its HTTP client. */
export class VaultClient {
  readonly #nodeVault: nodeVault.client
  readonly #transport: Transport

  constructor(address: string, namespace: string | undefined, transport: Transport) {
    this.#transport = transport
    this.#nodeVault = nodeVault({
      endpoint: address,
      // node-vault logs bodies with their secrets when DEBUG is set.
      debug: () => {},
      'request-promise': { defaults: () => (options: NodeVaultRequest) => this.#send(options) },
    })
    // node-vault reads these from the environment by itself; here they come with each request, or from our options.
    Object.assign(this.#nodeVault, { token: '', pathPrefix: '', namespace: namespace ?? '' })
  }

  /** Sends once, without a retry. Rejects with a VaultError. */
  async send({ method, path, body, signal }: VaultRequest, token?: string): Promise<VaultAnswer> {
    const exchange: Exchange = {}
    const answer: unknown = await this.#nodeVault.request({
      path: `/${path}`,
      method,
      headers: token === undefined ? {} : { 'X-Vault-Token': token },
      json: body ?? true,
      signal,
      exchange,
    })
    return readAnswer(answer, exchange, `${method} ${path}`)
  }

  async close(): Promise<void> {
    await this.#transport.close()
  }

  async #send({
    uri,
    method,
    path,
    headers,
    json,
    signal,
    exchange,
  }: NodeVaultRequest): Promise<NodeVaultAnswer> {
    const wire: WireRequest = { method, uri, path: path.slice(1), headers, signal }
    const { body, sentAt, ageMs } = await this.#transport.send(json === true ? wire : { ...wire, json })
    Object.assign(exchange, { sentAt, ageMs })
    return { statusCode: 200, body, request: { path } }
  }
}

/** node-vault gives back a body only: this goes along with the request and brings back the rest. */
interface Exchange {
  sentAt?: number
  ageMs?: number
}

interface NodeVaultRequest {
  readonly uri: string
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
