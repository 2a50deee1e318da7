import { mongodb } from './mongodb.ts'
import { mysql } from './mysql.ts'
import { postgresql } from './postgresql.ts'
import type { Templates } from './template.ts'

export const pluginNames = [
  'postgresql-database-plugin',
  'mysql-database-plugin',
  'mysql-aurora-database-plugin',
  'mysql-rds-database-plugin',
  'mysql-legacy-database-plugin',
  'mongodb-database-plugin',
] as const

export type PluginName = (typeof pluginNames)[number]

/** Those for the databases of a plugin. */
export function templatesFor(plugin: PluginName): Templates {
  if (plugin.startsWith('mysql')) return mysql
  return plugin.startsWith('mongodb') ? mongodb : postgresql
}
