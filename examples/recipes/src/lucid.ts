import type { Emitter } from '@adonisjs/core/events'
import type { Logger } from '@adonisjs/core/logger'
import { Database } from '@adonisjs/lucid/database'
import type { ConnectionConfig, DatabaseConfig } from '@adonisjs/lucid/types/database'
import { type VaultConnectionOptions, vaultConnection } from '@vault-lease/knex'
import type { Items } from './items.ts'

/** config/database.ts: knex takes a function as its connection, which Lucid's types do not know. */
function databaseConfig(options: VaultConnectionOptions): DatabaseConfig {
  const connection = vaultConnection(options) as ConnectionConfig['connection']
  return {
    connection: 'postgres',
    connections: { postgres: { client: 'pg', connection, pool: { min: 0, max: 5 } } as ConnectionConfig },
  }
}

/** In the boot() of a provider: Lucid opens connections by itself, for its replicas. Here knex does. */
function openWithKnex({ manager }: Database, name: string): void {
  manager.connect(name)
  const { client } = manager.get(name)?.connection?.client ?? {}
  if (client) Reflect.deleteProperty(client, 'acquireRawConnection')
}

/** @param logger, emitter those of the application, in whose container Lucid finds them. */
export function openLucid(
  options: VaultConnectionOptions,
  { logger, emitter }: { logger: Logger; emitter: Emitter<object> },
): Items {
  const db = new Database(databaseConfig(options), logger, emitter)
  openWithKnex(db, 'postgres')
  return {
    nameOf: async (id) => (await db.from('items').where({ id }).firstOrFail()).name,
    hit: (id) =>
      db.transaction(async (trx) => {
        await trx.from('items')
        await trx.from('items').where({ id }).increment('hits', 1)
      }),
    close: () => db.manager.closeAll(),
  }
}
