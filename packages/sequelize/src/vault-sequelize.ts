import { leadToLease, takeLease } from '@vault-lease/core/adapter'
import type { Options, Sequelize } from 'sequelize'
import { managerOf, poolsOf } from './connection-manager.ts'
import { checkDialect, checkOptions, checkServer, type VaultSequelizeOptions } from './options.ts'
import { SequelizeRotation } from './rotation.ts'

type Hooks = NonNullable<Options['hooks']>

/** No option of Sequelize is so near to one of ours that it could be meant. */
const sequelizeOptionNames: readonly string[] = []

/**
 * The options of a Sequelize whose database user comes from Vault and is replaced without a failed query.
 * `sequelize.close()` serves who waits, drains the pool, revokes the lease, and gives back the token if the library logged in
 * for it.
 *
 * @example
 * const sequelize = new Sequelize(vaultSequelize({ dialect: 'postgres', role: 'readonly', host, database }))
 *
 * @example
 * const sequelize = new Sequelize('mysql://db.internal/app', vaultSequelize({ role: 'readonly' }))
 *
 * @throws InvalidOptionError for a misspelt option, a missing role, another database, or a user or password beside them. What
 * can be known only with the Sequelize, such as what its URL says or a missing database of PostgreSQL, rejects the first query.
 */
export function vaultSequelize(options: VaultSequelizeOptions = {}): Options {
  const { open, driver } = takeLease<VaultSequelizeOptions>(options, sequelizeOptionNames)
  checkOptions(driver)
  const { setRole, ...others } = driver
  const rotations = new WeakMap<object, SequelizeRotation>()
  // Sequelize calls it as a method of itself before each connection that it opens: here it is heard of for the first time.
  function beforeConnect(this: Sequelize): void {
    if (!rotations.has(this.connectionManager)) rotations.set(this.connectionManager, rotationOf(this))
  }
  const rotationOf = (sequelize: Sequelize): SequelizeRotation => {
    const manager = managerOf(sequelize)
    const pools = poolsOf(manager)
    if (pools.some(({ pool }) => pool._draining))
      throw new Error('The Sequelize was closed before it had a connection.')
    const dialect = checkDialect(manager.dialectName, { setRole })
    for (const config of pools.flatMap(({ configs }) => configs)) checkServer(config, dialect)
    const { lease, owned: ownsLease } = open()
    const onClosed = (): unknown => rotations.delete(manager)
    return new SequelizeRotation(manager, { dialect, lease, ownsLease, onClosed, setRole })
  }
  leadToLease(beforeConnect, (sequelize) => rotations.get((sequelize as Sequelize).connectionManager)?.lease)
  return { ...(others as Options), hooks: { ...others.hooks, ...before(beforeConnect, others.hooks) } }
}

/** Sequelize takes several hooks of a kind too, which its types do not say. */
function before(hook: () => void, { beforeConnect }: Hooks = {}): Hooks {
  const all: unknown = beforeConnect ? [hook, beforeConnect].flat() : [hook]
  return { beforeConnect: all as NonNullable<Hooks['beforeConnect']> }
}
