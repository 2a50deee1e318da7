/** What Vault answered. */
export interface VaultReply {
  readonly status: number
  /** The parsed JSON; empty when there was none. */
  // biome-ignore lint/suspicious/noExplicitAny: the answers of a test server are looked into freely
  readonly body: any
}

/** The HTTP API of a test server. */
export interface VaultApi {
  /** Calls the API below /v1/, as root unless another token is given. Never throws for a status. */
  call(
    method: string,
    path: string,
    body?: object,
    options?: { readonly token?: string },
  ): Promise<VaultReply>
  /** Calls and throws unless the answer is a success. */
  must(method: string, path: string, body?: object): Promise<VaultReply>
}

/** The API of the server at an address. */
export function apiOf(address: string, root: string): VaultApi {
  const call: VaultApi['call'] = (method, path, body, options) =>
    callAt(address, method, path, body, options?.token ?? root)
  return {
    call,
    async must(method, path, body) {
      const reply = await call(method, path, body)
      if (reply.status >= 300)
        throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`)
      return reply
    },
  }
}

/** Calls the API of the server at an address once. */
export async function callAt(
  address: string,
  method: string,
  path: string,
  body?: object,
  token?: string,
): Promise<VaultReply> {
  const response = await fetch(`${address}/v1/${path}`, {
    method,
    redirect: 'manual',
    signal: AbortSignal.timeout(20_000),
    headers: { 'X-Vault-Request': 'true', ...(token && { 'X-Vault-Token': token }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
}
