import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  type DatabaseServer,
  type Servers,
  startMariaDb,
  startPostgres,
  startServers,
} from '@vault-lease/testing'

/** What the example file and the SQL beside it are for: three databases, and a Vault that has nothing. */
export interface SetupServers extends AsyncDisposable {
  readonly vault: Servers['vault']
  readonly postgres: DatabaseServer
  readonly folder: string
  readonly auditFile: string
  /** The variables that the command needs. */
  readonly env: Record<string, string>
  /** The example with the addresses of these servers, in a file. Without audit devices, which OpenBao takes otherwise. */
  readonly example: string
  /** Gives the users of Vault the passwords of the file again. */
  undoRotations(): Promise<void>
  /** A file with this text. */
  file(name: string, text: string): string
}

const examples = fileURLToPath(new URL('../examples/', import.meta.url))

export async function startSetupServers(): Promise<SetupServers> {
  const folder = mkdtempSync(join(tmpdir(), 'setup-'))
  const auditFile = join(folder, 'audit.log')
  // Its Vault has the plugin for MongoDB.
  const [mongo, postgres, mysql] = await Promise.all([
    startServers({ kind: 'mongodb', vault: { auditFile } }),
    startPostgres(),
    startMariaDb(),
  ])
  const { vault, database } = mongo
  await vault.must('DELETE', 'sys/mounts/database')
  for (const table of ['users (id serial primary key, name text)', 'reports (id int)', 'analytics (id int)'])
    await postgres.query(`create table ${table}`)
  await postgres.query(readFileSync(join(examples, 'setup.sql'), 'utf8'))
  await mysql.query(`create user if not exists 'vault_admin'@'%'`)
  await mysql.query(`grant all on *.* to 'vault_admin'@'%' with grant option`)
  await mysql.query('create database if not exists myapp')
  const undoRotations = async (): Promise<void> => {
    await postgres.query(`alter role vault_admin password 'of-the-file'`)
    await mysql.query(`alter user 'vault_admin'@'%' identified by 'of-the-file'`)
  }
  await undoRotations()
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text)
    return join(folder, name)
  }
  file('ca.crt', 'a certificate')
  file('token', 'a token')
  const [text = ''] = readFileSync(join(examples, 'setup.yaml'), 'utf8').split('\n# OpenBao takes these')
  const places = {
    'postgres.example.com:5432/myapp?sslmode=require': `127.0.0.1:${postgres.port}/${postgres.database}?sslmode=disable`,
    'mysql.example.com:3306': `127.0.0.1:${mysql.port}`,
    'mongo.example.com:27017': `127.0.0.1:${database.port}`,
    '/var/run/secrets/kubernetes.io/serviceaccount/ca.crt': join(folder, 'ca.crt'),
    '/var/run/secrets/kubernetes.io/serviceaccount/token': join(folder, 'token'),
    'username: vault_admin\n        password_env: MONGODB': `username: ${database.superuser.user}\n        password_env: MONGODB`,
  }
  const here = Object.entries(places).reduce((text, [there, here]) => text.replaceAll(there, here), text)
  return {
    vault,
    postgres,
    folder,
    auditFile,
    undoRotations,
    file,
    example: file('setup.yaml', here),
    env: {
      VAULT_ADDR: vault.address,
      VAULT_TOKEN: vault.token,
      POSTGRES_ADMIN_PASSWORD: 'of-the-file',
      MYSQL_ADMIN_PASSWORD: 'of-the-file',
      MONGODB_ADMIN_PASSWORD: database.superuser.password,
      SUPERUSER_PASSWORD: postgres.superuser.password,
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([mongo.stop(), postgres.stop(), mysql.stop()])
      rmSync(folder, { recursive: true })
    },
  }
}

/** Where the program is that OpenBao and Vault are used with; `undefined` when only their servers are at hand. */
export function vaultProgram(): string | undefined {
  const cache =
    process.env['VAULT_LEASE_CACHE'] ?? fileURLToPath(new URL('../../../.cache/vault-lease', import.meta.url))
  const onPath = (process.env['PATH'] ?? '')
    .split(':')
    .flatMap((folder) => [join(folder, 'vault'), join(folder, 'bao')])
  const downloaded = filesIn(cache).filter((name) => name.startsWith('openbao-'))
  const all = [...onPath, ...downloaded.map((name) => join(cache, name, 'bao'))]
  return all.find((path) => filesIn(join(path, '..')).includes(path.split('/').at(-1) ?? ''))
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
