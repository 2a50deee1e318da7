import {
  appRole,
  createLease,
  type LeaseManager,
  type RotationOptions,
  type VaultOptions,
} from '@vault-lease/core'
import { type DatabaseServer, type Servers, startServers } from '@vault-lease/testing'
import { type SecretWatch, watchSecrets } from '../secret-watch.ts'
import { schemas } from '../subjects/subject.ts'

/** The servers that a contract runs on, and the ways to a lease on them. */
export interface World extends Servers {
  /** Knows every secret that these servers issue to us. */
  readonly secrets: SecretWatch
  /** Options that log in to the server, or by another way to it, by AppRole. */
  vaultOptions(address?: string): Promise<VaultOptions>
  /** A lease of its own, closed by `closeLeases()`. */
  lease(ttl: string, maxTtl: string, options?: WorldLeaseOptions): Promise<LeaseManager>
  closeLeases(): Promise<void>
  /** The names of those whom the server has made for a role. */
  usersOf(role: string): Promise<string[]>
}

interface WorldLeaseOptions {
  /** Default: `app`. */
  readonly role?: string
  readonly rotation?: RotationOptions
  /** Another way to the server. */
  readonly address?: string
}

export async function startWorld(kind: DatabaseServer['kind']): Promise<World> {
  const servers = await startServers({ kind, vault: { storage: 'raft' }, schema: schemas[kind] })
  const { engine, vault } = servers
  const secrets = watchSecrets()
  secrets.know(vault.token)
  const leases: LeaseManager[] = []
  const vaultOptions = async (address = vault.address): Promise<VaultOptions> => {
    const role = await engine.createAppRole()
    secrets.know(role.secretId)
    return { address, auth: secrets.watchLogins(appRole(role)), timeoutMs: 2_000 }
  }
  return {
    ...servers,
    secrets,
    vaultOptions,
    async lease(ttl, maxTtl, { role = 'app', rotation, address } = {}) {
      await engine.role(role, { ttl, maxTtl })
      const lease = secrets.watch(createLease({ vault: await vaultOptions(address), role, rotation }))
      leases.push(lease)
      return lease
    },
    usersOf: async (role) => (await engine.users()).filter(isUserOf(role)),
    async closeLeases() {
      await Promise.all(leases.splice(0).map((lease) => lease.close()))
    },
  }
}

/** Vault cuts a role's name in the names of its users at eight letters. */
export function isUserOf(role: string): (username: string) => boolean {
  const part = new RegExp(`[-_]${role}[-_]`, 'i')
  return (username) => part.test(username)
}
