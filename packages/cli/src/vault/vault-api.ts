import { createVault, VaultError } from '@vault-lease/core'
import { type SessionAnswer, type VaultForLeases, vaultBehind } from '@vault-lease/core/adapter'
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
    return (await this.#found(() => this.#vault.send({ method: 'GET', path })))?.data
  }

  /** What the server says of itself, such as `sys/seal-status`: it is not in `data`. */
  async about(path: string): Promise<Data> {
    return (await this.#vault.send({ method: 'GET', path })).body
  }

  /** The names below a path; none when there is nothing. */
  async list(path: string): Promise<readonly string[]> {
    const keys = (await this.#found(() => this.#vault.send({ method: 'LIST', path })))?.data['keys']
    return Array.isArray(keys) ? keys.map(String) : []
  }

  async write(path: string, body: Data = {}): Promise<SessionAnswer> {
    return await this.#vault.send({ method: 'POST', path, body })
  }

  async remove(path: string): Promise<void> {
    await this.#vault.send({ method: 'DELETE', path })
  }

  /** Gives back the token, if there was a login for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#vault.close()
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

/** @throws InvalidOptionError when flags or variables are wrong. */
export function openVault(flags: VaultFlags): VaultApi {
  const auth = authOf(flags)
  const vault = vaultBehind(createVault({ ...(auth && { auth }) }))
  if (!vault) throw new TypeError('What createVault() makes is a Vault.')
  return new VaultApi(vault)
}
