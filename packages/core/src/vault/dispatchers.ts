import type { Dispatcher } from 'undici'
import type { VaultAddress } from './address.ts'
import type { TlsConnectOptions, TlsFiles } from './tls.ts'

type Undici = typeof import('undici')

/** The connections to the servers. They are made anew when certificates have changed. */
export class Dispatchers {
  readonly #tls: TlsFiles
  /** The address of the HTTP proxy in between. */
  readonly proxy: string | undefined
  readonly #sockets = new Map<string, Dispatcher>()
  #network: { readonly dispatcher: Dispatcher; readonly tls: TlsConnectOptions } | undefined

  constructor(tls: TlsFiles, proxy: string | undefined) {
    this.#tls = tls
    this.proxy = proxy
  }

  /** What carries requests to a server. */
  async to({ socketPath }: VaultAddress): Promise<Dispatcher> {
    const undici = await import('undici')
    if (socketPath === undefined) return this.#overNetwork(undici)
    const { Agent } = undici
    const dispatcher = this.#sockets.get(socketPath) ?? new Agent({ connect: { socketPath } })
    this.#sockets.set(socketPath, dispatcher)
    return dispatcher
  }

  async close(): Promise<void> {
    const all = [...this.#sockets.values(), ...(this.#network ? [this.#network.dispatcher] : [])]
    await Promise.all(all.map((dispatcher) => dispatcher.destroy()))
  }

  #overNetwork({ Agent, ProxyAgent }: Undici): Dispatcher {
    const tls = this.#tls.current()
    if (this.#network?.tls === tls) return this.#network.dispatcher
    // What is under way ends in its own time.
    this.#network?.dispatcher.close().catch(() => {})
    const { proxy } = this
    const dispatcher =
      proxy === undefined
        ? new Agent({ connect: tls })
        : new ProxyAgent({ uri: proxy, requestTls: tls, proxyTls: { rejectUnauthorized: true } })
    this.#network = { dispatcher, tls }
    return dispatcher
  }
}
