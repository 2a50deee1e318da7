import { createRequire } from 'node:module'
import { InvalidOptionError } from '@vault-lease/core'
import type { MariaDbDriver } from '@vault-lease/mariadb/adapter'

const require = createRequire(import.meta.url)

/**
 * The copy of the driver that MikroORM brings.
 *
 * @throws InvalidOptionError when the package of MikroORM cannot be found.
 */
export function loadDriver(): MariaDbDriver {
  const requireOfOrm = createRequire(pathOfOrm())
  return requireOfOrm('mariadb')
}

function pathOfOrm(): string {
  try {
    return require.resolve('@mikro-orm/mariadb')
  } catch {
    throw new InvalidOptionError('Install @mikro-orm/mariadb beside @vault-lease/mikro-orm.')
  }
}
