import type { Values } from '../fields.ts'
import type { Position } from '../position.ts'
import { secretAt } from '../secret.ts'
import type { AuthConfig, AuthMount } from '../setup-file.ts'
import * as vault from '../vault-fields.ts'
import type { YamlValue } from '../yaml-value.ts'
import { named, secretPlace, valuesOf } from './parts.ts'

export function authMountOf(name: string, at: Position, value: YamlValue): AuthMount {
  const parts = value.record(['type', 'config', 'roles'])
  const byName = vault.authTypes.find((type) => type === name)
  const type = parts.type ? parts.type.oneOf(vault.authTypes) : byName
  if (!parts.type && !byName)
    value.problem(`"type" is missing here: it is one of ${vault.authTypes.join(', ')}.`)
  const known = type ?? 'approle'
  const fields = vault.authRole[known]
  const byDefault: Values = known === 'jwt' ? { role_type: 'jwt' } : {}
  const roles = named(parts.roles, 'a role', (name, at, value) => ({
    name,
    at,
    values: { ...byDefault, ...valuesOf(fields, value.record(Object.keys(fields))) },
  }))
  return { name, at, type: known, roles, config: authConfigOf(known, parts.config) }
}

function authConfigOf(type: vault.AuthType, value: YamlValue | undefined): AuthConfig | undefined {
  if (!value) return undefined
  if (type === 'approle') {
    value.problem('approle has no "config": its roles have everything.')
    return undefined
  }
  const fields = vault.authConfig[type]
  const ofFiles = ['kubernetes_ca_cert_file', 'token_reviewer_jwt_env', 'token_reviewer_jwt_file']
  const found = value.record([...Object.keys(fields), ...(type === 'kubernetes' ? ofFiles : [])])
  const { kubernetes_ca_cert_file: ca, token_reviewer_jwt_env: env, token_reviewer_jwt_file: file } = found
  const values = { ...valuesOf(fields, found), ...(ca && { kubernetes_ca_cert: textOfFile(ca) }) }
  return { at: value.position, values, reviewerToken: secretPlace(env, file) }
}

function textOfFile(value: YamlValue): string {
  const found = secretAt({ ...value.position, file: value.text() })
  if ('secret' in found) return found.secret
  value.problem(found.missing)
  return ''
}
