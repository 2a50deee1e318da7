import { VaultError } from '@vault-lease/core'
import { apiPath } from '@vault-lease/core/adapter'
import type { VaultApi } from '../vault/vault-api.ts'
import type { Examination } from './examination.ts'
import { type Finding, failed, ok, skipped, warning } from './finding.ts'
import { links } from './links.ts'
import type { Origin } from './origin.ts'
import { inWords } from './times.ts'
import type { TokenLife } from './token-checks.ts'

const group = 'Role'

type Data = Readonly<Record<string, unknown>>

/** What the application gives a pool that is replaced to end what it runs. */
export interface RoleTerms {
  readonly token: TokenLife
  readonly logsIn: boolean
  readonly drainMs: number
}

/** A lease is replaced when two thirds of it are over: the rest is there to drain. */
const restFraction = 1 / 3

/** How the role is configured, where the token may look. Returns whether it can give credentials. */
export async function checkRole(
  examination: Examination,
  vault: VaultApi,
  origin: Origin,
  terms: RoleTerms,
): Promise<boolean> {
  const note = (check: string, finding: Finding): boolean => examination.note(group, check, finding)
  const role = await configuredAt(vault, origin.rolePath)
  if (role === 'forbidden') {
    note('configuration', skipped(`no policy lets the token read ${decodeURIComponent(origin.rolePath)}`))
    return true
  }
  if (!role) {
    note('configuration', noRole(origin, await namesBeside(vault, origin)))
    return false
  }
  const connection = `${role['db_name'] ?? ''}`
  note('configuration', ok(`${origin.name}, on the connection ${connection}`))
  if (!note('connection', await connectionOf(vault, origin, connection))) return false
  if (!origin.isStatic) note('TTLs', ttlFinding(role, terms))
  return true
}

function noRole({ name, mount }: Origin, others: readonly string[]): Finding {
  const there = others.length > 0 ? `There are: ${others.join(', ')}.` : 'There are none.'
  return failed(
    `no role "${name}" at ${mount}`,
    `${there} Correct --role or --mount, or create it (vault-lease setup).`,
    links.roles,
  )
}

async function namesBeside(vault: VaultApi, { mount, isStatic }: Origin): Promise<readonly string[]> {
  try {
    return await vault.list(apiPath(mount, isStatic ? 'static-roles' : 'roles'))
  } catch (error) {
    if (error instanceof VaultError) return []
    throw error
  }
}

async function connectionOf(vault: VaultApi, { name, mount }: Origin, connection: string): Promise<Finding> {
  const config = await configuredAt(vault, apiPath(mount, 'config', connection))
  if (config === 'forbidden') return skipped(`no policy lets the token read ${mount}/config/${connection}`)
  if (!config)
    return failed(
      `no connection "${connection}" at ${mount}`,
      'Create it, or give the role the db_name of one that is there.',
      links.databases,
    )
  const { allowed_roles: allowed } = config
  const names = Array.isArray(allowed) ? allowed.map(String) : []
  return names.some((pattern) => matches(pattern, name))
    ? ok(`${config['plugin_name']}, for the roles ${names.join(', ')}`)
    : failed(
        `the connection "${connection}" allows the roles ${names.join(', ') || 'none'}`,
        `Add "${name}" to its allowed_roles.`,
        links.databases,
      )
}

/** As Vault has it: `*` stands for anything, anywhere. */
function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[^\w]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`).test(name)
}

function ttlFinding(role: Data, { token, logsIn, drainMs }: RoleTerms): Finding {
  const ttlS = Number(role['default_ttl'] ?? 0)
  const maxS = Number(role['max_ttl'] ?? 0)
  if (ttlS === 0) return ok('those of the server: the role has no default_ttl')
  const found = `${inWords(ttlS)}, at most ${maxS > 0 ? inWords(maxS) : 'what the server allows'}`
  if (maxS > 0 && maxS < ttlS)
    return warning(
      `${found}: the largest is below the default`,
      'Give max_ttl a value above default_ttl.',
      links.roles,
    )
  if (!logsIn && token.longestS !== undefined && token.longestS < ttlS)
    return warning(
      `${found}, but the token has ${inWords(token.longestS)} left, and its leases die with it`,
      'Give a token that lives longer than a lease, or a shorter default_ttl.',
      links.leases,
    )
  const restMs = ttlS * restFraction * 1_000
  if (restMs < drainMs)
    return warning(
      `${found}: what runs for longer than ${inWords(restMs / 1_000)} is cut at a rotation, before drainTimeoutMs (${inWords(drainMs / 1_000)})`,
      `Give the role a default_ttl of ${inWords((drainMs / 1_000) * 3)} or more, or a shorter drain (--drain-timeout tells this check yours).`,
      links.leases,
    )
  return ok(found)
}

async function configuredAt(vault: VaultApi, path: string): Promise<Data | undefined | 'forbidden'> {
  try {
    return await vault.read(path)
  } catch (error) {
    if (error instanceof VaultError && error.status === 403) return 'forbidden'
    throw error
  }
}
