import { InvalidOptionError } from '@vault-lease/core'
import { apiPath } from '@vault-lease/core/adapter'
import { type Lease, leaseIds, lookUp, type RoleAt } from '../leases/leases.ts'
import type { VaultApi } from '../vault/vault-api.ts'
import type { BackingLease } from './judge.ts'
import type { Kind } from './names.ts'

const plugins: Readonly<Record<Kind, RegExp>> = {
  postgresql: /postgres|redshift/,
  mysql: /mysql/,
  mongodb: /mongo/,
}

/** Their names are too short to be told from those that people give. */
const shortNames = /^mysql-(aurora|rds|legacy)/

type EngineLease = BackingLease & Lease

/** Every database secrets engine of a Vault: which users and leases they have. */
export class Engines {
  readonly #vault: VaultApi
  readonly #mounts: readonly string[]
  readonly #movesValidUntil = new Map<string, boolean>()
  readonly #looked = new Map<string, EngineLease>()

  private constructor(vault: VaultApi, mounts: readonly string[]) {
    this.#vault = vault
    this.#mounts = mounts
  }

  /** @throws VaultError unless the token may read sys/mounts. */
  static async of(vault: VaultApi): Promise<Engines> {
    const mounts = Object.entries((await vault.read('sys/mounts')) ?? {})
    const ours = mounts.filter(([, mount]) => textIn(mount, 'type') === 'database')
    return new Engines(
      vault,
      ours.map(([path]) => path.replace(/\/$/, '')),
    )
  }

  /** @throws InvalidOptionError when a connection names its users in a way that only its owner knows. */
  async checkNames(kind: Kind): Promise<void> {
    for (const mount of this.#mounts) {
      for (const name of await this.#vault.list(apiPath(mount, 'config'))) {
        const config = await this.#vault.read(apiPath(mount, 'config', name))
        const template = textIn(config?.['connection_details'], 'username_template')
        const plugin = textIn(config, 'plugin_name')
        if (plugins[kind].test(plugin) && (template !== '' || shortNames.test(plugin)))
          throw new InvalidOptionError(
            `The connection ${mount}/config/${name} names its users in a way of its own: tell by --pattern what they are called.`,
          )
      }
    }
  }

  /** The users of the static roles. */
  async staticUsers(): Promise<ReadonlySet<string>> {
    const usernames = new Set<string>()
    for (const mount of this.#mounts) {
      for (const role of await this.#vault.list(apiPath(mount, 'static-roles'))) {
        usernames.add(textIn(await this.#vault.read(apiPath(mount, 'static-roles', role)), 'username'))
      }
    }
    return usernames
  }

  /** The leases of the roles that matter, those of roles that were removed too. Each is looked up once. */
  async leases(matters: (role: string) => boolean): Promise<readonly EngineLease[]> {
    const found: EngineLease[] = []
    for (const mount of this.#mounts) {
      const roles = await this.#vault.list(`sys/leases/lookup/${apiPath(mount, 'creds')}`)
      for (const at of roles.map((key) => ({ mount, role: key.replace(/\/$/, '') }))) {
        if (matters(at.role)) found.push(...(await this.#leasesOf(at)))
      }
    }
    return found
  }

  async #leasesOf(at: RoleAt): Promise<EngineLease[]> {
    const ids = await leaseIds(this.#vault, at)
    const unknown = ids.filter((id) => !this.#looked.has(id))
    const movesValidUntil = await this.#moves(at)
    for (const lease of await lookUp(this.#vault, at, unknown)) {
      this.#looked.set(lease.id, { ...lease, movesValidUntil })
    }
    return ids.flatMap((id) => this.#looked.get(id) ?? [])
  }

  async #moves(at: RoleAt): Promise<boolean> {
    const path = apiPath(at.mount, 'roles', at.role)
    const known = this.#movesValidUntil.get(path)
    if (known !== undefined) return known
    const role = await this.#vault.read(path)
    const statements = (name: string): string => String(role?.[name] ?? '')
    const moves =
      /valid until '\{\{expiration\}\}'/i.test(statements('creation_statements')) &&
      statements('renew_statements') === ''
    this.#movesValidUntil.set(path, moves)
    return moves
  }
}

function textIn(value: unknown, name: string): string {
  const text = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : ''
  return typeof text === 'string' ? text : ''
}
