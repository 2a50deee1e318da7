import { type AuthMethod, createVault, none, VaultError, type VaultOptions } from '@vault-lease/core'
import {
  awaited,
  type SessionAnswer,
  systemClock,
  type VaultForLeases,
  vaultBehind,
} from '@vault-lease/core/adapter'
import { authOf, type VaultFlags } from './vault-flags.ts'

type Data = Readonly<Record<string, unknown>>

/** Vault's HTTP API, for what is no lease. Paths are below /v1/, their parts encoded (`apiPath()`). Everything throws VaultErrors. */
export class VaultApi implements AsyncDisposable {
  readonly #vault: VaultForLeases

  constructor(vault: VaultForLeases) {
    this.#vault = vault
  }

  get address(): string {
    return this.#vault.address
  }

  /** `undefined` when there is nothing. */
  async read(path: string): Promise<Data | undefined> {
    return (await this.#found(() => this.#send({ method: 'GET', path })))?.data
  }

  /** The whole answer, with its lease. */
  async ask(path: string): Promise<SessionAnswer> {
    return await this.#send({ method: 'GET', path })
  }

  /** What the server says of itself, such as `sys/seal-status`: it is not in `data`. */
  async about(path: string): Promise<Data> {
    return (await this.ask(path)).body
  }

  /** The names below a path; none when there is nothing. */
  async list(path: string): Promise<readonly string[]> {
    const keys = (await this.#found(() => this.#send({ method: 'LIST', path })))?.data['keys']
    return Array.isArray(keys) ? keys.map(String) : []
  }

  async write(path: string, body: Data = {}): Promise<SessionAnswer> {
    return await this.#send({ method: 'POST', path, body })
  }

  async remove(path: string): Promise<void> {
    await this.#send({ method: 'DELETE', path })
  }

  /** Gives back the token, if there was a login for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#vault.close()
  }

  /** The library keeps no process alive by itself, not even between two attempts. */
  #send(request: Parameters<VaultForLeases['send']>[0]): Promise<SessionAnswer> {
    return awaited(systemClock, this.#vault.send(request))
  }

  async #found(ask: () => Promise<SessionAnswer>): Promise<SessionAnswer | undefined> {
    try {
      return await ask()
    } catch (error) {
      if (error instanceof VaultError && error.status === 404) return undefined
      throw error
    }
  }
}

/** How patient requests are. Default: as leases are. */
export type Patience = Pick<VaultOptions, 'timeoutMs' | 'maxRetries'>

/** @throws InvalidOptionError when flags or variables are wrong. */
export function openVault(flags: VaultFlags, patience?: Patience): VaultApi {
  return apiOf(authOf(flags), patience)
}

/**
 * For what needs no token.
 *
 * @throws InvalidOptionError when variables are wrong.
 */
export function openVaultWithoutToken(patience?: Patience): VaultApi {
  return apiOf(none(), patience)
}

function apiOf(auth: AuthMethod | undefined, patience: Patience = {}): VaultApi {
  const vault = vaultBehind(createVault({ ...patience, ...(auth && { auth }) }))
  if (!vault) throw new TypeError('What createVault() makes is a Vault.')
  return new VaultApi(vault)
}
