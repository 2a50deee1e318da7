import type { Parameters, Statements, Template, Templates } from './template.ts'

type TablePrivilege = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE'

interface Privileges {
  readonly tables: readonly TablePrivilege[]
  readonly sequences: readonly ('USAGE' | 'SELECT')[]
}

const reads: Privileges = { tables: ['SELECT'], sequences: [] }
const writes: Privileges = {
  tables: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  sequences: ['USAGE', 'SELECT'],
}

/** What they are granted their group has: no table gets an entry for each user, which ends in 54000 "row is too big". */
export const postgresql: Templates = {
  readonly: onSchema(reads),
  readwrite: onSchema(writes),
  reporting: onTables(reads),
  'user-service': onTables({ tables: ['SELECT', 'INSERT', 'UPDATE'], sequences: ['USAGE'] }),
}

function onSchema(privileges: Privileges): Template {
  return {
    needs: ['group'],
    takes: ['schema'],
    statements: (parameters) => statementsOf(privileges, { ...parameters, tables: [] }),
  }
}

function onTables(privileges: Privileges): Template {
  return {
    needs: ['group', 'tables'],
    takes: ['schema'],
    statements: (parameters) => statementsOf(privileges, parameters),
  }
}

function statementsOf(privileges: Privileges, parameters: Parameters): Statements {
  const { group } = parameters
  return {
    creation_statements: [
      ensureGroup(privileges, parameters),
      `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}' IN ROLE "${group}"`,
    ],
    renew_statements: [`ALTER ROLE "{{name}}" VALID UNTIL '{{expiration}}'`],
    revocation_statements: [drop(group)],
  }
}

/**
 * A group that is new gets everything, or there is none: who may not grant it is told so. One that is there, such as an owner's,
 * gets what the user of Vault may grant: a table that came later stops nobody. Where nothing is missing, nothing is written.
 */
function ensureGroup(privileges: Privileges, { group, schema, tables }: Parameters): string {
  const named = tables.map((table) => `"${schema}"."${table}"`)
  const check = named.map((table) => `    PERFORM '${table}'::regclass;\n`).join('')
  const inSchema = `c.relnamespace = '"${schema}"'::regnamespace`
  const ids = `ARRAY[${named.map((table) => `to_regclass('${table}')`).join(', ')}]::oid[]`
  const mayGrant = (owner: string): string => `(is_new OR pg_has_role(${owner}, 'USAGE'))`
  const missing = [
    `    SELECT 'GRANT USAGE ON SCHEMA "${schema}" TO "${group}"' FROM pg_namespace n
      WHERE n.nspname = '${schema}' AND NOT has_schema_privilege('${group}', n.oid, 'USAGE') AND ${mayGrant('n.nspowner')}`,
    `    SELECT format('GRANT %s ON TABLE %s TO "${group}"', p, c.oid::regclass) FROM pg_class c, unnest(ARRAY${list(privileges.tables)}) p
      WHERE ${inSchema} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')${named.length > 0 ? ` AND c.oid = ANY (${ids})` : ''}
        AND NOT has_table_privilege('${group}', c.oid, p) AND ${mayGrant('c.relowner')}`,
    ...(privileges.sequences.length > 0
      ? [
          `    SELECT format('GRANT %s ON SEQUENCE %s TO "${group}"', p, c.oid::regclass) FROM pg_class c, unnest(ARRAY${list(privileges.sequences)}) p
      WHERE ${inSchema} AND c.relkind = 'S'${named.length > 0 ? ` AND EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.refobjid = ANY (${ids}))` : ''}
        AND NOT has_sequence_privilege('${group}', c.oid, p) AND ${mayGrant('c.relowner')}`,
        ]
      : []),
  ]
  return `DO $$
DECLARE
  is_new boolean := NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '${group}');
  missing text;
BEGIN
  IF is_new THEN
${check}    CREATE ROLE "${group}" NOLOGIN;
  END IF;
  FOR missing IN
${missing.join('\n    UNION ALL\n')}
  LOOP
    EXECUTE missing;
  END LOOP;
END $$`
}

/** What the user owns goes to the group, whose members go on using it. A user that is gone already is no error. */
function drop(group: string): string {
  return `DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = '{{name}}') THEN
    GRANT "{{name}}" TO CURRENT_USER;
    IF NOT pg_has_role('${group}', 'USAGE') THEN
      GRANT "${group}" TO CURRENT_USER;
    END IF;
    PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}';
    REASSIGN OWNED BY "{{name}}" TO "${group}";
    DROP OWNED BY "{{name}}";
    DROP ROLE "{{name}}";
  END IF;
END $$`
}

function list(privileges: readonly string[]): string {
  return `['${privileges.join(`', '`)}']`
}
