import type { Values } from './fields.ts'
import type { Position } from './position.ts'
import type { SecretPlace } from './secret.ts'
import type { AuthType } from './vault-fields.ts'

/** What a setup file says, without what is wrong with it. */
export interface SetupFile {
  readonly engines: readonly Engine[]
  readonly policies: readonly Item[]
  readonly auth: readonly AuthMount[]
  readonly audit: readonly Item[]
}

/** A thing with a name, and what Vault is to have of it, by its own field names. */
export interface Item {
  readonly name: string
  readonly at: Position
  readonly values: Values
}

export interface Engine {
  /** Where it is mounted. */
  readonly name: string
  readonly at: Position
  readonly connections: readonly Connection[]
  readonly roles: readonly Item[]
  readonly staticRoles: readonly Item[]
}

export interface Connection extends Item {
  readonly password: SecretPlace | undefined
  readonly rotateRoot: Position | undefined
}

export interface AuthMount {
  readonly name: string
  readonly at: Position
  readonly type: AuthType
  readonly config: AuthConfig | undefined
  readonly roles: readonly Item[]
}

export interface AuthConfig {
  readonly at: Position
  readonly values: Values
  /** Kubernetes: the token that Vault asks the cluster with. */
  readonly reviewerToken: SecretPlace | undefined
}
