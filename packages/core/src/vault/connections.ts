import { Agent as HttpAgent, type RequestOptions as HttpOptions } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Socket } from 'node:net'
import type { VaultAddress } from './address.ts'
import type { TlsConnectOptions, TlsFiles } from './tls.ts'
import { tunnelTo } from './tunnel.ts'

/** What a request is told of its connection. */
export type Way = Pick<HttpOptions, 'agent' | 'socketPath' | 'createConnection'>

/** One that was not used for so long may have been closed on the way, unseen. Vault itself keeps it for minutes. */
const idleMs = 4_000
const kept = { keepAlive: true, timeout: idleMs }

/** The connections to the servers. They are made anew when certificates have changed. */
export class Connections {
  readonly #tls: TlsFiles
  /** The address of the HTTP proxy in between. */
  readonly proxy: string | undefined
  readonly #plain = new HttpAgent(kept)
  readonly #tunnels = new Set<Socket>()
  #secure: { readonly agent: HttpsAgent; readonly tls: TlsConnectOptions } | undefined

  constructor(tls: TlsFiles, proxy: string | undefined) {
    this.#tls = tls
    this.proxy = proxy
  }

  /** How a server is reached. Behind a proxy each request has a connection of its own, which is open by then. */
  async to({ base, socketPath }: VaultAddress, signal: AbortSignal): Promise<Way> {
    if (socketPath !== undefined) return { agent: this.#plain, socketPath }
    const server = new URL(base)
    if (this.proxy !== undefined) return await this.#throughProxy(new URL(this.proxy), server, signal)
    return { agent: server.protocol === 'https:' ? this.#secureAgent() : this.#plain }
  }

  close(): void {
    this.#plain.destroy()
    this.#secure?.agent.destroy()
    for (const socket of this.#tunnels) socket.destroy()
  }

  async #throughProxy(proxy: URL, server: URL, signal: AbortSignal): Promise<Way> {
    const socket = await tunnelTo(server, { proxy, tls: this.#tls.current(), signal })
    this.#tunnels.add(socket)
    socket.once('close', () => this.#tunnels.delete(socket))
    return { createConnection: () => socket }
  }

  /** What is under way with other certificates ends in its own time. */
  #secureAgent(): HttpsAgent {
    const tls = this.#tls.current()
    if (this.#secure?.tls !== tls) this.#secure = { agent: new HttpsAgent({ ...kept, ...tls }), tls }
    return this.#secure.agent
  }
}
