import type { Servers } from '@vault-lease/testing'
import { roleNames } from './roles.ts'

type Variables = Readonly<Record<string, string>>

/** What an application finds in its environment, and who sets things up and clears them. */
export interface Environment {
  readonly application: Variables
  readonly operator: Variables
}

/** Of local servers, for an application with this token. */
export function environmentOf({ vault, database }: Servers, token: string): Environment {
  const { kind, host, port, database: name, superuser } = database
  const place = `${host}:${port}/${name}`
  const url = `${kind}://${place}`
  const login = `${encodeURIComponent(superuser.user)}:${encodeURIComponent(superuser.password)}`
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
      VAULT_TOKEN: vault.token,
      VAULT_LEASE_ADMIN_URL: `${kind}://${login}@${place}`,
    },
  }
}

/** Lines for a shell. */
export function exportsOf(variables: Variables): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}="${value}"`)
    .join('\n')
}

/** The lines of a file that Node, Docker and shells read. */
export function fileOf(variables: Variables): string {
  return Object.entries(variables)
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')
}
