import { isDeepStrictEqual } from 'node:util'
import type { Values } from '../fields.ts'
import { type Parameters, type TemplateName, templateNames } from './template.ts'
import { type PluginName, templatesFor } from './templates.ts'

/** What a role says that has these statements from a template; `undefined` when they are its own. */
export function recognised(
  plugin: PluginName,
  { creation_statements, renew_statements, revocation_statements }: Values,
): ({ readonly template: TemplateName } & Partial<Parameters>) | undefined {
  const parameters = parametersIn(Array.isArray(creation_statements) ? creation_statements.join('\n') : '')
  for (const name of templateNames) {
    const template = templatesFor(plugin)[name]
    const made = template?.statements(parameters)
    if (
      template &&
      isDeepStrictEqual(made, { creation_statements, renew_statements, revocation_statements })
    ) {
      const said = [...template.needs, ...template.takes].filter(
        (parameter) => parameters[parameter] !== byDefault[parameter],
      )
      return {
        template: name,
        ...Object.fromEntries(said.map((parameter) => [parameter, parameters[parameter]])),
      }
    }
  }
  return undefined
}

const byDefault: Partial<Parameters> = { schema: 'public' }

/** They need not be right: what is made of them is compared. */
function parametersIn(creation: string): Parameters {
  const first = (...forms: readonly RegExp[]): string | undefined =>
    forms.map((form) => form.exec(creation)?.[1]).find((found) => found !== undefined)
  const tables = creation.matchAll(/PERFORM '"[\w-]+"\."([\w-]+)"'|ON `[\w-]+`\.`([\w-]+)`/g)
  return {
    group: first(/IN ROLE "([\w-]+)"/) ?? '',
    schema: first(/GRANT USAGE ON SCHEMA "([\w-]+)"/) ?? 'public',
    database: first(/ON `([\w-]+)`/, /"db":"([\w-]+)"\}\]/) ?? '',
    tables: Array.from(tables, ([, ofPostgres, ofMySql]) => ofPostgres ?? ofMySql ?? ''),
  }
}
