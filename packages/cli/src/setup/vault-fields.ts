import type { Fields } from './fields.ts'

// What Vault and OpenBao both know, by their own names, for each kind of object.

export const mount: Fields = { type: { kind: 'text' } }

export const connection: Fields = {
  plugin_name: { kind: 'text' },
  connection_url: { kind: 'text' },
  username: { kind: 'text' },
  allowed_roles: { kind: 'texts' },
  root_rotation_statements: { kind: 'texts' },
  password_policy: { kind: 'text' },
  password_authentication: { kind: 'text' },
  username_template: { kind: 'text' },
  max_open_connections: { kind: 'count' },
  max_idle_connections: { kind: 'count' },
  max_connection_lifetime: { kind: 'duration' },
  tls_ca: { kind: 'text' },
  tls_server_name: { kind: 'text' },
  write_concern: { kind: 'text' },
}

/** It is no field of Vault's: a connection keeps what it does not know, and shows it to whoever reads the configuration. */
export const rootRotation: Fields = { root_rotated_at: { kind: 'text' } }

export const role: Fields = {
  db_name: { kind: 'text' },
  creation_statements: { kind: 'texts' },
  renew_statements: { kind: 'texts' },
  revocation_statements: { kind: 'texts' },
  rollback_statements: { kind: 'texts' },
  default_ttl: { kind: 'duration' },
  max_ttl: { kind: 'duration' },
}

export const staticRole: Fields = {
  db_name: { kind: 'text' },
  username: { kind: 'text' },
  rotation_period: { kind: 'duration' },
  rotation_statements: { kind: 'texts' },
}

export const policy: Fields = { policy: { kind: 'text' } }

const token: Fields = {
  token_policies: { kind: 'texts' },
  token_ttl: { kind: 'duration' },
  token_max_ttl: { kind: 'duration' },
  token_explicit_max_ttl: { kind: 'duration' },
  token_period: { kind: 'duration' },
  token_num_uses: { kind: 'count' },
  token_type: { kind: 'text', unset: 'default' },
  token_bound_cidrs: { kind: 'texts' },
  token_no_default_policy: { kind: 'flag' },
}

export const authConfig: Readonly<Record<'jwt' | 'kubernetes', Fields>> = {
  jwt: {
    oidc_discovery_url: { kind: 'text' },
    oidc_discovery_ca_pem: { kind: 'text' },
    jwks_url: { kind: 'text' },
    jwks_ca_pem: { kind: 'text' },
    jwt_validation_pubkeys: { kind: 'texts' },
    jwt_supported_algs: { kind: 'texts' },
    bound_issuer: { kind: 'text' },
    default_role: { kind: 'text' },
  },
  kubernetes: {
    kubernetes_host: { kind: 'text' },
    kubernetes_ca_cert: { kind: 'text' },
    disable_local_ca_jwt: { kind: 'flag' },
    pem_keys: { kind: 'texts' },
    issuer: { kind: 'text' },
    disable_iss_validation: { kind: 'flag', unset: true },
  },
}

export const authRole: Readonly<Record<'approle' | 'jwt' | 'kubernetes', Fields>> = {
  approle: {
    ...token,
    bind_secret_id: { kind: 'flag', unset: true },
    secret_id_bound_cidrs: { kind: 'texts' },
    secret_id_num_uses: { kind: 'count' },
    secret_id_ttl: { kind: 'duration' },
  },
  jwt: {
    ...token,
    role_type: { kind: 'text', unset: 'oidc' },
    user_claim: { kind: 'text' },
    bound_audiences: { kind: 'texts' },
    bound_subject: { kind: 'text' },
    bound_claims: { kind: 'map' },
    bound_claims_type: { kind: 'text', unset: 'string' },
    groups_claim: { kind: 'text' },
    clock_skew_leeway: { kind: 'duration' },
  },
  kubernetes: {
    ...token,
    bound_service_account_names: { kind: 'texts' },
    bound_service_account_namespaces: { kind: 'texts' },
    audience: { kind: 'text' },
    alias_name_source: { kind: 'text', unset: 'serviceaccount_uid' },
  },
}

export type AuthType = keyof typeof authRole

export const authTypes = ['approle', 'jwt', 'kubernetes'] as const satisfies readonly AuthType[]

export const auditDevice: Fields = { type: { kind: 'text' }, options: { kind: 'map' } }
