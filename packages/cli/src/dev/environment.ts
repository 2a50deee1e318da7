import { roleNames } from './roles.ts'
import type { LocalServers } from './servers.ts'

type Variables = Readonly<Record<string, string>>

/** What an application finds in its environment, and who sets things up and clears them. */
export interface Environment {
  readonly application: Variables
  readonly operator: Variables
}

/** Of local servers, for an application with this token. */
export function environmentOf({ vault, database }: LocalServers, token: string): Environment {
  const { kind, host, port, database: name } = database
  const place = `${host}:${port}/${name}`
  const url = `${kind}://${place}`
  return {
    application: {
      VAULT_ADDR: vault.address,
      VAULT_TOKEN: token,
      VAULT_DB_ROLE: roleNames[0],
      VAULT_LEASE_DATABASE_URL: url,
      DB_HOST: host,
      DB_PORT: String(port),
      DB_NAME: name,
      ...(kind === 'postgresql' && { PGHOST: host, PGPORT: String(port), PGDATABASE: name }),
      ...(kind === 'mongodb' && { MONGODB_URI: url }),
    },
    operator: {
      VAULT_ADDR: vault.address,
      VAULT_TOKEN: vault.token,
      VAULT_LEASE_ADMIN_URL: adminUrlOf(database),
    },
  }
}

/** With which the superuser of a local database logs in. */
export function adminUrlOf({ kind, host, port, database, superuser }: LocalServers['database']): string {
  const login = `${encodeURIComponent(superuser.user)}:${encodeURIComponent(superuser.password)}`
  return `${kind}://${login}@${host}:${port}/${database}`
}

/** Lines for a shell. */
export function exportsOf(variables: Variables): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}="${value}"`)
    .join('\n')
}

/** The lines of a file that Node, Docker and shells read; those of the operator are comments there. */
export function fileOf({ application, operator }: Environment): string {
  return [
    ...Object.entries(application).map(([name, value]) => `${name}=${value}`),
    '',
    `# ${forOperators}`,
    ...Object.entries(operator).map(([name, value]) => `# export ${name}="${value}"`),
  ].join('\n')
}

/** What the variables of the operator are for. */
export const forOperators = 'For orphans, revoke and status, and for a look at the database as its superuser:'
