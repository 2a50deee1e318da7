import { LineCounter, parseDocument } from 'yaml'
import { type Fields, readField, type Values } from './fields.ts'
import { policyReading } from './policy.ts'
import type { Position, Problem } from './position.ts'
import { type SecretPlace, secretAt } from './secret.ts'
import type { AuthConfig, AuthMount, Connection, Engine, Item, SetupFile } from './setup-file.ts'
import { type Parameters, templateNames } from './templates/template.ts'
import { type PluginName, pluginNames, templatesFor } from './templates/templates.ts'
import * as vault from './vault-fields.ts'
import { unknownText, YamlValue } from './yaml-value.ts'

/** A mount may stand at a path of several parts. */
const mountForm = /^[\w.-]+(?:\/[\w.-]+)*$/
const sectionNames = ['engines', 'policies', 'auth', 'audit'] as const

/** What a file says, and everything that is wrong with it: what it says is of use only when nothing is. */
export function readSetupFile(text: string): {
  readonly file: SetupFile
  readonly problems: readonly Problem[]
} {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const problems: Problem[] = document.errors.map(({ pos: [offset], message }) => {
    const { line, col } = lines.linePos(offset)
    return { line, column: col, message: firstLine(message) }
  })
  // What stands in a file that is no YAML is anybody's guess.
  if (problems.length > 0) return { file: { engines: [], policies: [], auth: [], audit: [] }, problems }
  const file = fileOf(new YamlValue({ document, lines, problems }, document.contents))
  problems.sort((one, other) => one.line - other.line || one.column - other.column)
  return { file, problems }
}

function fileOf(root: YamlValue): SetupFile {
  const sections = root.record(sectionNames)
  const engines = named(sections.engines, 'a mount', engineOf, mountForm)
  const credentials = engines.flatMap(({ name, roles, staticRoles }) => [
    ...roles.map((role) => `${name}/creds/${role.name}`),
    ...staticRoles.map((role) => `${name}/static-creds/${role.name}`),
  ])
  return {
    engines,
    policies: named(sections.policies, 'a policy', (name, at, value) =>
      policyOf(name, at, value, credentials),
    ),
    auth: named(sections.auth, 'a mount', authMountOf, mountForm),
    audit: named(sections.audit, 'an audit device', auditDeviceOf, mountForm),
  }
}

function named<Thing>(
  value: YamlValue | undefined,
  what: string,
  read: (name: string, at: Position, value: YamlValue) => Thing,
  form?: RegExp,
): Thing[] {
  return (value?.named(what, form) ?? []).map(({ name, at, value }) => read(name, at, value))
}

function engineOf(name: string, at: Position, value: YamlValue): Engine {
  const parts = value.record(['connections', 'roles', 'static_roles'])
  const plugins = new Map<string, PluginName>()
  const connections = named(parts.connections, 'a connection', (name, at, value) => {
    const connection = connectionOf(name, at, value)
    plugins.set(
      name,
      pluginNames.find((plugin) => plugin === connection.values['plugin_name']) ?? pluginNames[0],
    )
    return connection
  })
  const connectionIn = (value: YamlValue | undefined): string => {
    const connection = value?.text() ?? ''
    if (value && connection !== '' && !plugins.has(connection))
      value.problem(unknownText(connection, [...plugins.keys()]))
    return connection
  }
  const roles = named(parts.roles, 'a role', (name, at, value) =>
    roleOf(name, at, value, connectionIn, plugins),
  )
  const staticRoles = named(parts.static_roles, 'a static role', (name, at, value) =>
    staticRoleOf(name, at, value, connectionIn),
  )
  const allowed = [...roles, ...staticRoles]
  return {
    name,
    at,
    roles,
    staticRoles,
    connections: connections.map((connection) => {
      const ofIt = allowed.filter(({ values }) => values['db_name'] === connection.name)
      const values = { ...connection.values, allowed_roles: ofIt.map(({ name }) => name) }
      return { ...connection, values }
    }),
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

function secretPlace(env: YamlValue | undefined, file: YamlValue | undefined): SecretPlace | undefined {
  if (env) {
    const name = env.text()
    if (name !== '' && !/^[A-Za-z_]\w*$/.test(name))
      env.problem('This has to be the name of an environment variable, not what it holds.')
    return { ...env.position, env: name }
  }
  return file && { ...file.position, file: file.text() }
}

const parameterNames = [
  'group',
  'schema',
  'database',
  'tables',
] as const satisfies readonly (keyof Parameters)[]

function roleOf(
  name: string,
  at: Position,
  value: YamlValue,
  connectionIn: (value: YamlValue | undefined) => string,
  plugins: ReadonlyMap<string, PluginName>,
): Item {
  const { db_name: _connection, ...own } = vault.role
  const found = value.record(
    [...Object.keys(own), 'connection', 'template', ...parameterNames],
    ['connection'],
  )
  const { connection: connectionName, template, creation_statements: creation } = found
  const connection = connectionIn(connectionName)
  if (!template && !creation) value.problem('"template" or "creation_statements" is missing here.')
  if (template && creation) creation.problem('Give either a template or statements of your own.')
  const plugin = plugins.get(connection)
  const statements = template && plugin && fromTemplate(template, found, plugin)
  return { name, at, values: { db_name: connection, ...statements, ...valuesOf(own, found) } }
}

function fromTemplate(
  named: YamlValue,
  { group, schema, database, tables }: Partial<Record<string, YamlValue>>,
  plugin: PluginName,
): Values {
  const templates = templatesFor(plugin)
  const name = named.oneOf(templateNames)
  if (!name) return {}
  const template = templates[name]
  if (!template) {
    named.problem(`There is no "${name}" for ${plugin}: it has ${Object.keys(templates).join(', ')}.`)
    return {}
  }
  const { needs, takes } = template
  const given = { group, schema, database, tables }
  for (const parameter of parameterNames) {
    if (needs.includes(parameter) && !given[parameter])
      named.problem(`The template ${name} needs "${parameter}".`)
    if (![...needs, ...takes].includes(parameter))
      given[parameter]?.problem(`The template ${name} takes no "${parameter}".`)
  }
  return {
    ...template.statements({
      group: group?.plainName() ?? '',
      schema: schema?.plainName() ?? 'public',
      database: database?.plainName() ?? '',
      tables: tables?.list().map((table) => table.plainName()) ?? [],
    }),
  }
}

function staticRoleOf(
  name: string,
  at: Position,
  value: YamlValue,
  connectionIn: (value: YamlValue | undefined) => string,
): Item {
  const { db_name: _connection, ...own } = vault.staticRole
  const found = value.record(
    [...Object.keys(own), 'connection'],
    ['connection', 'username', 'rotation_period'],
  )
  const { connection } = found
  return { name, at, values: { db_name: connectionIn(connection), ...valuesOf(own, found) } }
}

function policyOf(name: string, at: Position, value: YamlValue, credentials: readonly string[]): Item {
  const { read, rules } = value.record(['read', 'rules'])
  if (read && rules) rules.problem('Give either what may be read, or rules of your own.')
  if (!read && !rules) value.problem('"read" or "rules" is missing here.')
  for (const path of read?.list() ?? []) {
    const text = path.text()
    if (text !== '' && !credentials.includes(text)) path.problem(unknownText(text, credentials))
  }
  return { name, at, values: { policy: rules?.text() ?? policyReading(read?.texts() ?? []) } }
}

function authMountOf(name: string, at: Position, value: YamlValue): AuthMount {
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

function auditDeviceOf(name: string, at: Position, value: YamlValue): Item {
  const { type, options } = value.record(['type', 'options'], ['type'])
  const texts = Object.entries(options?.map() ?? {}).map(([option, value]) => [option, String(value)])
  return { name, at, values: { type: type?.text() ?? '', options: Object.fromEntries(texts) } }
}

function valuesOf(fields: Fields, found: Partial<Record<string, YamlValue>>): Values {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => {
      const value = found[name]
      return value ? [[name, readField(field, value)]] : []
    }),
  )
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? ''
}
