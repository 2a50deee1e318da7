import { InvalidOptionError } from '@vault-lease/core'
import { apiPath } from '@vault-lease/core/adapter'

/** Which role of which engine is looked at. */
export interface Origin {
  readonly name: string
  readonly mount: string
  readonly isStatic: boolean
  /** Where its credentials are read. */
  readonly credentialPath: string
  /** Where it is configured. */
  readonly rolePath: string
}

/** @throws InvalidOptionError when no role is named. */
export function originOf({
  role = process.env['VAULT_DB_ROLE'],
  staticRole,
  mount: given,
}: {
  readonly role?: string | undefined
  readonly staticRole?: string | undefined
  readonly mount?: string | undefined
}): Origin {
  const name = staticRole ?? role
  const mount = mountOf(given)
  if (!name) throw new InvalidOptionError('Name the role: --role, or VAULT_DB_ROLE.')
  const isStatic = staticRole !== undefined
  return {
    name,
    mount,
    isStatic,
    credentialPath: apiPath(mount, isStatic ? 'static-creds' : 'creds', name),
    rolePath: apiPath(mount, isStatic ? 'static-roles' : 'roles', name),
  }
}

/** Where the engine is. */
export function mountOf(mount: string | undefined): string {
  return mount ?? process.env['VAULT_DB_MOUNT'] ?? 'database'
}
