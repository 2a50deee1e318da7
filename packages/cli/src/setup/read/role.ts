import type { Values } from '../fields.ts'
import type { Position } from '../position.ts'
import type { Item } from '../setup-file.ts'
import { type Parameters, templateNames } from '../templates/template.ts'
import { type PluginName, templatesFor } from '../templates/templates.ts'
import * as vault from '../vault-fields.ts'
import { unknownText, type YamlValue } from '../yaml-value.ts'
import { valuesOf } from './parts.ts'

/** The connections of an engine, and what each of them is for. */
export type Plugins = ReadonlyMap<string, PluginName>

const parameterNames = [
  'group',
  'schema',
  'database',
  'tables',
] as const satisfies readonly (keyof Parameters)[]

export function roleOf(name: string, at: Position, value: YamlValue, plugins: Plugins): Item {
  const { db_name: _connection, ...own } = vault.role
  const found = value.record(
    [...Object.keys(own), 'connection', 'template', ...parameterNames],
    ['connection'],
  )
  const { connection: connectionName, template, creation_statements: creation } = found
  const connection = connectionIn(connectionName, plugins)
  if (!template && !creation) value.problem('"template" or "creation_statements" is missing here.')
  if (template && creation) creation.problem('Give either a template or statements of your own.')
  const plugin = plugins.get(connection)
  const statements = template && plugin && fromTemplate(template, found, plugin)
  return { name, at, values: { db_name: connection, ...statements, ...valuesOf(own, found) } }
}

export function staticRoleOf(name: string, at: Position, value: YamlValue, plugins: Plugins): Item {
  const { db_name: _connection, ...own } = vault.staticRole
  const found = value.record(
    [...Object.keys(own), 'connection'],
    ['connection', 'username', 'rotation_period'],
  )
  const { connection } = found
  return { name, at, values: { db_name: connectionIn(connection, plugins), ...valuesOf(own, found) } }
}

function connectionIn(value: YamlValue | undefined, plugins: Plugins): string {
  const connection = value?.text() ?? ''
  if (value && connection !== '' && !plugins.has(connection))
    value.problem(unknownText(connection, [...plugins.keys()]))
  return connection
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
