import type { Parameters, Template, Templates } from './template.ts'

const readonly = onDatabase('SELECT')

/** A grant is a row of the user's own and goes with it: it needs no group, which MySQL and MariaDB have each in its own way. */
export const mysql: Templates = {
  readonly,
  'mysql-readonly': readonly,
  readwrite: onDatabase('SELECT, INSERT, UPDATE, DELETE'),
  reporting: onTables('SELECT'),
  'user-service': onTables('SELECT, INSERT, UPDATE'),
}

function onDatabase(privileges: string): Template {
  return granting(['database'], ({ database }) => [
    `GRANT ${privileges} ON \`${database}\`.* TO '{{name}}'@'%'`,
  ])
}

function onTables(privileges: string): Template {
  return granting(['database', 'tables'], ({ database, tables }) =>
    tables.map((table) => `GRANT ${privileges} ON \`${database}\`.\`${table}\` TO '{{name}}'@'%'`),
  )
}

function granting(needs: Template['needs'], grants: (parameters: Parameters) => readonly string[]): Template {
  return {
    needs,
    takes: [],
    statements: (parameters) => ({
      creation_statements: [`CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'`, ...grants(parameters)],
      renew_statements: [],
      revocation_statements: [`DROP USER IF EXISTS '{{name}}'@'%'`],
    }),
  }
}
