import type { IDatabaseDriver, Options } from '@mikro-orm/core'
import { type AdapterOptions, InvalidOptionError } from '@vault-lease/core'
import { namesLogin } from '@vault-lease/core/adapter'
import { checkSetRole, type SetRoleOptions } from '@vault-lease/pg/adapter'

/** A driver of MikroORM over knex, such as `PostgreSqlDriver`. */
export type DriverClass<Driver extends IDatabaseDriver> = NonNullable<Options<Driver>['driver']>

type FromVault = 'user' | 'password'

/** Where the lease comes from, and every option of a MikroORM but the user and the password. */
export type VaultMikroOrmOptions<Driver extends IDatabaseDriver = IDatabaseDriver> = AdapterOptions &
  SetRoleOptions &
  Omit<Options<Driver>, FromVault | 'driver' | 'replicas'> & {
    /** `PostgreSqlDriver`, `MySqlDriver` or `MariaDbDriver`. */
    readonly driver: DriverClass<Driver>
    /** Servers that are read from, which know the same users. Each of them goes over to a new user by itself. */
    readonly replicas?: Omit<NonNullable<Options<Driver>['replicas']>[number], FromVault>[]
  }

/**
 * Checks what `takeLease()` cannot know.
 *
 * @throws InvalidOptionError when there is no driver, or a user or a password stands in a URL or with a replica.
 */
export function checkOptions(options: Omit<VaultMikroOrmOptions, keyof AdapterOptions>): void {
  const { driver, clientUrl, replicas = [] } = options
  if (typeof driver !== 'function')
    throw new InvalidOptionError(
      'Which driver? Set the option "driver" to PostgreSqlDriver, MySqlDriver or MariaDbDriver.',
    )
  checkSetRole(options)
  const urls = [clientUrl, ...replicas.map((replica) => replica.clientUrl)]
  const inUrl = urls.some((url) => url !== undefined && URL.canParse(url) && namesLogin(new URL(url)))
  if (!inUrl && !replicas.some((replica) => 'user' in replica || 'password' in replica)) return
  throw new InvalidOptionError(
    'Leave the user and the password out of "clientUrl" and "replicas": they come from Vault.',
  )
}
