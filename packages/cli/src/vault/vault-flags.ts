import { type AuthMethod, appRole, InvalidOptionError, jwt, kubernetes, tokenFile } from '@vault-lease/core'
import { type Command, Option } from 'commander'

/** How to log in to Vault, as it was given on the command line. */
export interface VaultFlags {
  readonly auth?: 'approle' | 'kubernetes' | 'jwt' | 'token-file'
  readonly authRole?: string
  readonly authMount?: string
  readonly roleId?: string
  readonly authFile?: string
}

/** Adds them to a subcommand. */
export function addVaultFlags(command: Command): Command {
  return command
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

/**
 * `undefined` when none was named.
 *
 * @throws InvalidOptionError when they do not go together.
 */
export function authOf({
  auth,
  authRole,
  authMount: mount,
  authFile,
  roleId,
}: VaultFlags): AuthMethod | undefined {
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
