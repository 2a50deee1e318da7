import { apiPath } from '@vault-lease/core/adapter'
import type { VaultApi } from '../vault/vault-api.ts'
import { differencesOf, type FieldDifference, type Values } from './fields.ts'
import { FoundObjects } from './found.ts'
import type { Problem } from './position.ts'
import type { SetupFile } from './setup-file.ts'
import { type Wanted, wantedOf } from './wanted.ts'
import { unknownText } from './yaml-value.ts'

/** What has to be done to an object. */
export interface Change {
  readonly action: 'create' | 'change' | 'rotate'
  readonly wanted: Wanted
  /** What is there now. */
  readonly found: Values | undefined
  readonly differences: readonly FieldDifference[]
}

/** How a server differs from a file. */
export interface Plan {
  readonly changes: readonly Change[]
  /** Paths of objects beside those of the file, in its engines. They are left alone. */
  readonly beside: readonly string[]
  /** What only shows on the server to be wrong with the file. */
  readonly problems: readonly Problem[]
}

/** Changes nothing. */
export async function planFor(file: SetupFile, vault: VaultApi): Promise<Plan> {
  const server = new FoundObjects(vault)
  const changes: Change[] = []
  for (const wanted of wantedOf(file)) {
    const change = changeTo(wanted, await server.valuesOf(wanted))
    if (!change) continue
    if (isOfAnotherType(change)) return { changes: [], beside: [], problems: [otherType(change)] }
    changes.push(change)
  }
  return { changes, beside: await besideOf(file, vault), problems: await unknownPolicies(file, vault) }
}

/** Pure: `undefined` when all is as it should be. */
export function changeTo(wanted: Wanted, found: Values | undefined): Change | undefined {
  const { kind, fields, values } = wanted
  if (kind === 'root password') {
    const known = found?.['root_rotated_at'] ?? ''
    return known === '' ? { action: 'rotate', wanted, found, differences: [] } : undefined
  }
  if (!found) return { action: 'create', wanted, found, differences: [] }
  const differences = differencesOf(fields, found, values)
  return differences.length > 0 ? { action: 'change', wanted, found, differences } : undefined
}

/** What is mounted there is another thing altogether, which is not asked for what it cannot have. */
function isOfAnotherType({ action, wanted: { kind } }: Change): boolean {
  return action === 'change' && (kind === 'mount' || kind === 'auth method')
}

function otherType({ wanted: { path, at, values }, found }: Change): Problem {
  const message = `${path} is there, and of the type ${found?.['type']}, not ${values['type']}: choose another path.`
  return { ...at, message }
}

async function unknownPolicies({ policies, auth }: SetupFile, vault: VaultApi): Promise<Problem[]> {
  const used = auth.flatMap(({ roles }) =>
    roles.flatMap(({ at, values }) => textsIn(values['token_policies']).map((policy) => ({ at, policy }))),
  )
  if (used.length === 0) return []
  const known = [...policies.map(({ name }) => name), ...(await vault.list('sys/policies/acl'))]
  return used
    .filter(({ policy }) => !known.includes(policy))
    .map(({ at, policy }) => ({ ...at, message: `token_policies: ${unknownText(policy, known)}` }))
}

async function besideOf({ engines }: SetupFile, vault: VaultApi): Promise<string[]> {
  const beside: string[] = []
  for (const { name: mount, connections, roles, staticRoles } of engines) {
    for (const [list, items] of [
      ['config', connections],
      ['roles', roles],
      ['static-roles', staticRoles],
    ] as const) {
      const names = await vault.list(apiPath(mount, list))
      const others = names.filter((name) => !items.some((item) => item.name === name))
      beside.push(...others.map((name) => `${mount}/${list}/${name}`))
    }
  }
  return beside
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : []
}
