import { completed, type Fields, type Values } from './fields.ts'
import type { Position } from './position.ts'
import type { SecretPlace } from './secret.ts'
import type { AuthMount, Connection, Engine, Item, SetupFile } from './setup-file.ts'
import * as vault from './vault-fields.ts'

export type WantedKind =
  | 'mount'
  | 'connection'
  | 'root password'
  | 'role'
  | 'static role'
  | 'policy'
  | 'auth method'
  | 'auth config'
  | 'auth role'
  | 'audit device'

/** An object of Vault as the file has it. */
export interface Wanted {
  readonly kind: WantedKind
  /** Where it is read and written, as people write it: `database/roles/readonly`. */
  readonly path: string
  readonly at: Position
  readonly fields: Fields
  /** Every field of interest. */
  readonly values: Values
  /** What is sent with a write and never read: a field, and where its value is. */
  readonly secret?: {
    readonly field: string
    readonly place: SecretPlace
    readonly sent: 'at first' | 'always'
  }
}

/** In the order in which they can be made. What OpenBao refuses by its API is last, so that nothing waits for it. */
export function wantedOf({ engines, policies, auth, audit }: SetupFile): readonly Wanted[] {
  return [
    ...engines.flatMap(ofEngine),
    ...policies.map((policy) => item('policy', `sys/policies/acl/${policy.name}`, vault.policy, policy)),
    ...auth.flatMap(ofAuth),
    ...audit.map((device) => item('audit device', `sys/audit/${device.name}`, vault.auditDevice, device)),
  ]
}

function item(
  kind: WantedKind,
  path: string,
  fields: Fields,
  { at, values }: Pick<Item, 'at' | 'values'>,
): Wanted {
  return { kind, path, at, fields, values: completed(fields, values) }
}

function ofEngine({ name: mount, at, connections, roles, staticRoles }: Engine): readonly Wanted[] {
  return [
    item('mount', `sys/mounts/${mount}`, vault.mount, { at, values: { type: 'database' } }),
    ...connections.flatMap((connection) => ofConnection(mount, connection)),
    ...roles.map((role) => item('role', `${mount}/roles/${role.name}`, vault.role, role)),
    ...staticRoles.map((role) =>
      item('static role', `${mount}/static-roles/${role.name}`, vault.staticRole, role),
    ),
  ]
}

function ofConnection(mount: string, connection: Connection): readonly Wanted[] {
  const { name, password, rotateRoot } = connection
  const wanted = item('connection', `${mount}/config/${name}`, vault.connection, connection)
  return [
    // Later the password is Vault's, which keeps it when it is not sent.
    password ? { ...wanted, secret: { field: 'password', place: password, sent: 'at first' } } : wanted,
    ...(rotateRoot
      ? [item('root password', `${mount}/config/${name}`, vault.rootRotation, { at: rotateRoot, values: {} })]
      : []),
  ]
}

function ofAuth({ name: mount, at, type, config, roles }: AuthMount): readonly Wanted[] {
  const fields = type === 'approle' ? {} : vault.authConfig[type]
  const ofConfig = config && item('auth config', `auth/${mount}/config`, fields, config)
  const token = config?.reviewerToken
  return [
    item('auth method', `sys/auth/${mount}`, vault.mount, { at, values: { type } }),
    ...(ofConfig
      ? [
          token
            ? { ...ofConfig, secret: { field: 'token_reviewer_jwt', place: token, sent: 'always' as const } }
            : ofConfig,
        ]
      : []),
    ...roles.map((role) => item('auth role', `auth/${mount}/role/${role.name}`, vault.authRole[type], role)),
  ]
}
