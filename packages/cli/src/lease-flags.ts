import {
  type AuthMethod,
  appRole,
  InvalidOptionError,
  jwt,
  kubernetes,
  type LeaseOptions,
  tokenFile,
} from '@vault-lease/core'
import { type Command, Option } from 'commander'
import { type Database, databaseAt } from './database/database.ts'

/** Where a credential comes from, and which database it is for, as it was given on the command line. */
export interface LeaseFlags {
  readonly role?: string
  readonly staticRole?: string
  readonly mount?: string
  readonly url?: string
  readonly auth?: 'approle' | 'kubernetes' | 'jwt' | 'token-file'
  readonly authRole?: string
  readonly authMount?: string
  readonly roleId?: string
  readonly authFile?: string
}

/** Adds them to a subcommand. */
export function addLeaseFlags(command: Command): Command {
  return command
    .option('-r, --role <role>', 'the role of the database secrets engine (default: VAULT_DB_ROLE)')
    .option('--static-role <role>', 'a static role, instead of --role')
    .option('--mount <path>', 'where the engine is mounted (default: VAULT_DB_MOUNT, else "database")')
    .addOption(
      new Option(
        '--url <url>',
        'the database, without a login: postgresql://host/db, mysql://host/db, mongodb://host/db; the credential is tried there first',
      ).env('VAULT_LEASE_DATABASE_URL'),
    )
    .addOption(
      new Option(
        '--auth <method>',
        'how to log in to Vault (default: VAULT_TOKEN, else ~/.vault-token)',
      ).choices(['approle', 'kubernetes', 'jwt', 'token-file']),
    )
    .option('--auth-mount <path>', 'where that method is mounted (default: its name)')
    .option('--auth-role <role>', 'its role: kubernetes, jwt')
    .option(
      '--auth-file <file>',
      'the file with the secret id (approle), the token (kubernetes, token-file) or the JWT (jwt)',
    )
    .addOption(new Option('--role-id <id>', 'the role id: approle').env('VAULT_ROLE_ID'))
}

/** @throws InvalidOptionError when they do not go together. */
export function leaseOptionsOf({ role, staticRole, mount, ...flags }: LeaseFlags): LeaseOptions {
  if (role !== undefined && staticRole !== undefined)
    throw new InvalidOptionError('Give either --role or --static-role.')
  const auth = authOf(flags)
  const origin = staticRole === undefined ? { role } : { staticRole }
  return { ...origin, mount, ...(auth && { vault: { auth } }) }
}

/** `undefined` when none was named. */
export function databaseOf({ url }: LeaseFlags): Database | undefined {
  return url === undefined ? undefined : databaseAt(url)
}

function authOf({ auth, authRole, authMount: mount, authFile, roleId }: LeaseFlags): AuthMethod | undefined {
  switch (auth) {
    case 'approle':
      return appRole({
        roleId: needed(roleId, '--role-id'),
        secretIdFile: needed(authFile, '--auth-file'),
        mount,
      })
    case 'kubernetes':
      return kubernetes({ role: needed(authRole, '--auth-role'), mount, tokenFile: authFile })
    case 'jwt':
      return jwt({ role: authRole, mount, jwtFile: needed(authFile, '--auth-file') })
    case 'token-file':
      return tokenFile(needed(authFile, '--auth-file'))
    default:
      return undefined
  }
}

function needed(value: string | undefined, flag: string): string {
  if (value === undefined) throw new InvalidOptionError(`This --auth needs ${flag}.`)
  return value
}
