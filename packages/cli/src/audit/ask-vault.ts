import { InvalidOptionError, VaultError } from '@vault-lease/core'
import { apiPath } from '@vault-lease/core/adapter'
import { lookUp, type RoleAt } from '../leases/leases.ts'
import { sideBySide } from '../leases/side-by-side.ts'
import type { VaultApi } from '../vault/vault-api.ts'
import type { Ttls } from './end.ts'
import type { Issue } from './event.ts'
import { numberIn, textIn } from './fields.ts'

/** The Vault that wrote the file, for what the file does not tell. What the token may not ask stays unknown, and is told once. */
export class AuditedVault {
  readonly #vault: VaultApi
  readonly #device: string | undefined
  readonly #tell: (text: string) => void
  readonly #refused = new Set<string>()
  #isAway = false
  #hashesAt: Promise<string> | undefined

  /**
   * @param device the path of the audit device (default: the only one that there is).
   * @param tell hears of what cannot be asked.
   */
  constructor(vault: VaultApi, device: string | undefined, tell: (text: string) => void) {
    this.#vault = vault
    this.#device = device
    this.#tell = tell
  }

  /** Texts with their hashes, as the device writes them; none when it cannot be asked. */
  async hashed(texts: readonly string[]): Promise<readonly (readonly [text: string, hash: string])[]> {
    const hashes = await this.#unlessRefused('sys/audit-hash', async () => {
      const path = await this.#hashPath()
      return await sideBySide(texts, async (input) => {
        const { data } = await this.#vault.write(path, { input })
        return [input, String(data?.['hash'])] as const
      })
    })
    return hashes ?? []
  }

  /** How long the leases of a role live; `undefined` when the role is gone, or cannot be asked for. */
  async ttlsOf({ namespace, mount, role }: Issue): Promise<Ttls | undefined> {
    return await this.#unlessRefused(`${mount}/roles/${role}`, async () => {
      const at = `${namespace}${mount}`
      const found = await this.#vault.read(apiPath(at, 'roles', role))
      if (!found) return undefined
      const [defaultTtl, maxTtl] = [numberIn(found, 'default_ttl') ?? 0, numberIn(found, 'max_ttl') ?? 0]
      if (defaultTtl > 0 && maxTtl > 0) return { defaultMs: defaultTtl * 1_000, maxMs: maxTtl * 1_000 }
      const mounted = await this.#vault.read(`sys/mounts/${apiPath(at)}/tune`)
      return {
        defaultMs: (defaultTtl || (numberIn(mounted, 'default_lease_ttl') ?? 0)) * 1_000,
        maxMs: (maxTtl || (numberIn(mounted, 'max_lease_ttl') ?? 0)) * 1_000,
      }
    })
  }

  /** When each of the leases that are still there ends; `undefined` when they cannot be asked for. */
  async endsOf(role: RoleAt, leases: readonly string[]): Promise<ReadonlyMap<string, number> | undefined> {
    return await this.#unlessRefused('sys/leases/lookup', async () => {
      const found = await lookUp(this.#vault, role, leases)
      return new Map(found.map(({ id, expiresAt }) => [id, expiresAt]))
    })
  }

  async #hashPath(): Promise<string> {
    this.#hashesAt ??= this.#findDevice().then((device) => `sys/audit-hash/${apiPath(device)}`)
    return await this.#hashesAt
  }

  async #findDevice(): Promise<string> {
    if (this.#device !== undefined) return this.#device.replace(/\/$/, '')
    const devices = Object.entries((await this.#vault.read('sys/audit')) ?? {}).filter(
      ([, device]) => textIn(device, 'type') !== undefined,
    )
    const paths = devices.map(([path]) => path.replace(/\/$/, ''))
    const [only, ...others] = paths
    if (only === undefined || others.length > 0)
      throw new InvalidOptionError(
        `Which audit device has written it? Give --device. Vault has ${paths.join(', ') || 'none'}.`,
      )
    return only
  }

  async #unlessRefused<T>(what: string, ask: () => Promise<T>): Promise<T | undefined> {
    if (this.#isAway) return undefined
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof VaultError)) throw error
      this.#isAway = error.status === undefined
      if (!this.#refused.has(what)) this.#tell(`${what} cannot be asked: ${error.message}`)
      this.#refused.add(what)
      return undefined
    }
  }
}
