import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { differencesOf } from '../src/setup/fields.ts'
import { changeTo } from '../src/setup/plan.ts'
import { pathsReadBy, policyReading } from '../src/setup/policy.ts'
import { readSetupFile } from '../src/setup/read/setup-file.ts'
import { withoutPassword } from '../src/setup/report.ts'
import { recognised } from '../src/setup/templates/recognised.ts'
import { durationText, secondsOf } from '../src/setup/vault-durations.ts'
import * as vault from '../src/setup/vault-fields.ts'
import { wantedOf } from '../src/setup/wanted.ts'

const example = readFileSync(new URL('../examples/setup.yaml', import.meta.url), 'utf8').replace(
  '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt',
  new URL('../package.json', import.meta.url).pathname,
)

/** `line:column message` of each problem. */
function problemsIn(text: string): string[] {
  return readSetupFile(text).problems.map(({ line, column, message }) => `${line}:${column} ${message}`)
}

/** The example with one thing in it replaced. */
function changed(from: string, to: string): string {
  expect(example).toContain(from)
  return example.replace(from, to)
}

function lineOf(text: string, part: string): number {
  return text.slice(0, text.indexOf(part)).split('\n').length
}

describe('a setup file', () => {
  it('is the example', () => {
    const { file, problems } = readSetupFile(example)
    expect(problems).toEqual([])
    const [engine] = file.engines
    expect(engine?.connections.map(({ values }) => values['allowed_roles'])).toEqual([
      ['readonly', 'readwrite', 'reporting', 'user-service', 'support', 'legacy'],
      ['mysql-readonly'],
    ])
    const readonly = wantedOf(file).find(({ path }) => path === 'database/roles/readonly')
    expect(readonly?.values).toMatchObject({
      db_name: 'my-postgresql-database',
      default_ttl: 3_600,
      max_ttl: 86_400,
    })
  })

  it.each([
    [
      'an unknown key',
      'rotate_root: true',
      'rotat_root: true',
      '"rotat_root" is not known here, did you mean "rotate_root"?',
    ],
    [
      'a camel-cased key',
      'password_env: POSTGRES',
      'passwordEnv: POSTGRES',
      '"passwordEnv" is not known here, did you mean "password_env"?',
    ],
    [
      'an unknown template',
      'template: readwrite',
      'template: readwrit',
      '"readwrit" is not known here, did you mean "readwrite"?',
    ],
    [
      'an unknown connection',
      'connection: my-mysql-database',
      'connection: my-mysq-database',
      '"my-mysq-database" is not known here, did you mean "my-mysql-database"?',
    ],
    [
      'an unknown plugin',
      'mysql-database-plugin',
      'mysq-database-plugin',
      'did you mean "mysql-database-plugin"?',
    ],
    [
      'an unknown credential',
      'database/creds/readonly',
      'database/creds/readonli',
      'did you mean "database/creds/readonly"?',
    ],
    [
      'a password',
      'password_env: POSTGRES_ADMIN_PASSWORD',
      'password: hunter2hunter2',
      'No password stands in the file',
    ],
    [
      'a login in a URL',
      '{{username}}:{{password}}@postgres',
      'admin:hunter2hunter2@postgres',
      'Write {{username}}:{{password}}',
    ],
    [
      'a number for a text',
      'username: vault_admin',
      'username: 12',
      'This has to be a text, and is a number.',
    ],
    [
      'a text for a flag',
      'rotate_root: true',
      'rotate_root: "yes"',
      'This has to be true or false, and is a text.',
    ],
    [
      'a text for a list',
      'tables: [reports, analytics]',
      'tables: reports',
      'This has to be a list, and is a text.',
    ],
    ['no time', 'default_ttl: 1h', 'default_ttl: one hour', 'This has to be a time such as'],
    [
      'a list for a map',
      'group: app_readonly',
      'group: [app_readonly]',
      'This has to be a text, and is a list.',
    ],
    ['what would end a statement', 'group: app_readonly', "group: 'a\"; drop'", 'Only letters, digits'],
    [
      'a template that its database has not',
      'connection: my-mongodb\n        template: readonly',
      'connection: my-mongodb\n        template: reporting',
      'There is no "reporting" for mongodb-database-plugin: it has readonly, readwrite.',
    ],
    [
      'a template without what it needs',
      'user-service:\n        connection: my-postgresql-database\n        template: user-service\n        group: app_user_service\n        tables: [users]',
      'user-service:\n        connection: my-postgresql-database\n        template: user-service',
      'The template user-service needs',
    ],
    [
      'a parameter that is not of the template',
      'group: app_readonly',
      'group: app\n        tables: [a]',
      'The template readonly takes no "tables".',
    ],
    [
      'a value where a variable is named',
      'password_env: POSTGRES_ADMIN_PASSWORD',
      'password_env: s3cr3t-p@ss',
      'has to be the name of an environment variable',
    ],
  ])('says where there is %s, and shows no secret', (_what, from, to, message) => {
    const text = changed(from, to)
    const problems = readSetupFile(text).problems.filter((problem) => problem.message.includes(message))
    const line = lineOf(example, from) + to.split('\n').length - 1
    expect(problems.map(({ line }) => line)).toContain(line)
    expect(problemsIn(text).join()).not.toMatch(/hunter2|s3cr3t/)
  })

  it('says where the column is', () => {
    expect(problemsIn('engines:\n  database:\n    role: {}\n')).toEqual([
      '3:5 "role" is not known here, did you mean "roles"?',
    ])
  })

  it('says where it is no YAML', () => {
    expect(problemsIn('engines:\n  database: [a, b\n')).toEqual([
      expect.stringMatching(/^\d:\d+ Flow sequence/),
    ])
    expect(problemsIn('engines: {}\nengines: {}\n')).toEqual(['2:1 Map keys must be unique'])
  })

  it.each(['', '- a\n', 'text'])('has to be a map: %j', (text) => {
    expect(problemsIn(text)).toEqual([expect.stringMatching(/^1:1 This has to be a map/)])
  })
})

describe('what differs', () => {
  const role = wantedOf(readSetupFile(example).file).find(({ path }) => path === 'database/roles/readonly')
  if (!role) throw new Error('the example has it')

  it('is nothing when all is the same', () => {
    expect(changeTo(role, role.values)).toBeUndefined()
  })

  it('is each field that is another', () => {
    expect(changeTo(role, { ...role.values, default_ttl: 7_200 })).toMatchObject({
      action: 'change',
      differences: [{ field: 'default_ttl', is: 7_200, shouldBe: 3_600 }],
    })
  })

  it('is all of what is not there', () => {
    expect(changeTo(role, undefined)?.action).toBe('create')
  })

  it('is not the order of names, and is that of statements', () => {
    const reversed = (values: typeof role.values, field: string): typeof role.values => {
      const list = values[field]
      return { ...values, [field]: Array.isArray(list) ? [...list].reverse() : '' }
    }
    const names = { allowed_roles: ['a', 'b'] }
    expect(differencesOf(vault.connection, names, reversed(names, 'allowed_roles'))).toEqual([])
    expect(differencesOf(vault.role, role.values, reversed(role.values, 'creation_statements'))).toHaveLength(
      1,
    )
  })

  it('is a root password that is not known to be rotated', () => {
    const root = wantedOf(readSetupFile(example).file).find(({ kind }) => kind === 'root password')
    if (!root) throw new Error('the example has it')
    expect(changeTo(root, {})?.action).toBe('rotate')
    expect(changeTo(root, { root_rotated_at: '2026-11-29T00:00:00Z' })).toBeUndefined()
  })
})

describe('what is made from something else', () => {
  it('a policy is known again', () => {
    expect(pathsReadBy(policyReading(['database/creds/a']))).toEqual(['database/creds/a'])
    expect(
      pathsReadBy(`${policyReading(['database/creds/a'])}path "x" { capabilities = ["sudo"] }`),
    ).toBeUndefined()
  })

  it.each(['readonly', 'readwrite', 'reporting', 'user-service', 'mysql-readonly'])(
    'the template %s is known again',
    (template) => {
      const roles = wantedOf(readSetupFile(example).file).filter(({ kind }) => kind === 'role')
      const plugin = template === 'mysql-readonly' ? 'mysql-database-plugin' : 'postgresql-database-plugin'
      const role = roles.find(({ path }) => path === `database/roles/${template}`)
      const found = recognised(plugin, role?.values ?? {})?.template
      // For MySQL the two are one.
      expect(found).toBe(template === 'mysql-readonly' ? 'readonly' : template)
    },
  )

  it('a duration has whole seconds', () => {
    expect(['90', '30s', '1h30m', '7d', '1h0m0s', '0', 'x', '', '1w'].map(secondsOf)).toEqual([
      90,
      30,
      5_400,
      604_800,
      3_600,
      0,
      undefined,
      undefined,
      undefined,
    ])
    expect([0, 30, 5_400, 86_400].map(durationText)).toEqual(['0s', '30s', '90m', '24h'])
  })

  it('a URL is shown without its password', () => {
    expect(withoutPassword('postgresql://admin:p@ss@db/app')).toBe('postgresql://(hidden)@db/app')
    expect(withoutPassword('admin:pass@tcp(db:3306)/app')).toBe('(hidden)@tcp(db:3306)/app')
    expect(withoutPassword('{{username}}:{{password}}@tcp(db)/')).toBe('{{username}}:{{password}}@tcp(db)/')
  })
})
