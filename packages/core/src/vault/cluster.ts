import type { VaultAddress } from './address.ts'
import { VaultError, type VaultErrorCode } from './errors.ts'

/** What another server of the cluster may do better. */
const elsewhere: ReadonlySet<VaultErrorCode> = new Set([
  'ERR_VAULT_UNREACHABLE',
  'ERR_VAULT_TIMEOUT',
  'ERR_VAULT_STANDBY',
  'ERR_VAULT_SEALED',
])

/** The servers of one cluster. The one that answered last is asked first. */
export class Cluster {
  readonly servers: readonly VaultAddress[]
  #first = 0

  constructor(servers: readonly VaultAddress[]) {
    this.servers = servers
  }

  /** Asks one server after the other until one answers for itself. */
  async ask<T>(ask: (server: VaultAddress) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const first = this.#first
    for (let tried = 0; ; tried++) {
      const index = (first + tried) % this.servers.length
      const server = this.servers[index] as VaultAddress
      try {
        const answer = await ask(server)
        this.#first = index
        return answer
      } catch (error) {
        // Who waited in vain does not begin with the same one again.
        this.#first = isElsewhere(error) || signal?.aborted ? (index + 1) % this.servers.length : index
        if (!isElsewhere(error) || signal?.aborted || tried + 1 >= this.servers.length) throw error
      }
    }
  }

  /** The server of a URL, if it is one of the cluster. */
  serverAt({ origin }: URL): VaultAddress | undefined {
    return this.servers.find(
      ({ base, socketPath }) => socketPath === undefined && new URL(base).origin === origin,
    )
  }
}

function isElsewhere(error: unknown): boolean {
  return error instanceof VaultError && elsewhere.has(error.code)
}
