import type { Position } from '../position.ts'
import type { Connection, Engine } from '../setup-file.ts'
import { pluginNames } from '../templates/templates.ts'
import * as vault from '../vault-fields.ts'
import type { YamlValue } from '../yaml-value.ts'
import { named, secretPlace, valuesOf } from './parts.ts'
import { type Plugins, roleOf, staticRoleOf } from './role.ts'

export function engineOf(name: string, at: Position, value: YamlValue): Engine {
  const parts = value.record(['connections', 'roles', 'static_roles'])
  const connections = named(parts.connections, 'a connection', connectionOf)
  const plugins: Plugins = new Map(
    connections.map(({ name, values }) => [
      name,
      pluginNames.find((plugin) => plugin === values['plugin_name']) ?? pluginNames[0],
    ]),
  )
  const roles = named(parts.roles, 'a role', (name, at, value) => roleOf(name, at, value, plugins))
  const staticRoles = named(parts.static_roles, 'a static role', (name, at, value) =>
    staticRoleOf(name, at, value, plugins),
  )
  const allowedBy = (connection: string): string[] =>
    [...roles, ...staticRoles]
      .filter(({ values }) => values['db_name'] === connection)
      .map(({ name }) => name)
  return {
    name,
    at,
    roles,
    staticRoles,
    connections: connections.map((connection) => ({
      ...connection,
      values: { ...connection.values, allowed_roles: allowedBy(connection.name) },
    })),
  }
}

function connectionOf(name: string, at: Position, value: YamlValue): Connection {
  const { allowed_roles: _derived, ...own } = vault.connection
  const found = value.record(
    [...Object.keys(own), 'password_env', 'password_file', 'rotate_root'],
    ['plugin_name', 'connection_url', 'username'],
  )
  const { plugin_name: plugin, connection_url: url, password_env: env, password_file: file } = found
  plugin?.oneOf(pluginNames)
  if (url && !url.text().includes('{{password}}'))
    url.problem('Write {{username}}:{{password}} where the login stands in the URL: Vault fills it in.')
  if (env && file) file.problem('Give one of password_env and password_file.')
  const password = secretPlace(env, file)
  if (!password) value.problem('"password_env" or "password_file" is missing here.')
  const { rotate_root: rotate } = found
  return {
    name,
    at,
    password,
    rotateRoot: rotate?.flag() ? rotate.position : undefined,
    values: valuesOf(own, found),
  }
}
