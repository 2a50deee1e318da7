import { InvalidOptionError } from '@vault-lease/core'

/** The role that sessions work as, so that what they create belongs to a role that stays. */
export interface SetRoleOptions {
  /**
   * The role that every connection works as, as after `SET ROLE`: what it creates belongs to that role, which stays when the
   * database user is dropped. The user has to be a member of it: `CREATE ROLE "{{name}}" … IN ROLE app_owner` in the
   * creation_statements. What says `SET ROLE` itself leaves it. Default: the database user itself.
   */
  readonly setRole?: string | undefined
}

/** @throws InvalidOptionError when it cannot be the name of a role: to PostgreSQL `none` means the user itself, and NUL ends the name. */
export function checkSetRole({ setRole }: SetRoleOptions): void {
  if (setRole === undefined || (typeof setRole === 'string' && isName(setRole))) return
  throw new InvalidOptionError('The option "setRole" takes the name of a role of the database.')
}

function isName(role: string): boolean {
  return !['', 'none'].includes(role.trim().toLowerCase()) && !role.includes('\0')
}

/**
 * Command-line options that have a session begin in a role. They come with the first message of a connection, so that it costs
 * nothing and `RESET ROLE` and `DISCARD ALL` lead back to the role (PostgreSQL protocol, "StartupMessage").
 */
export function optionsWithRole(options: string | undefined, setRole: string): string {
  const escaped = setRole.replaceAll(/[\s\\]/g, '\\$&')
  return [options, `-c role=${escaped}`].filter(Boolean).join(' ')
}
