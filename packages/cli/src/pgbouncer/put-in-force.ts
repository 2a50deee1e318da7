import { type Clock, sleep } from '@vault-lease/core/adapter'
import type { AdminConsole } from './admin-console.ts'
import { identifier } from './include.ts'
import { PgBouncerError } from './pgbouncer-error.ts'

const loginsEndWithinMs = 5_000
const pauseMs = 5

/**
 * Has PgBouncer read its configuration, in the order that loses no query. A reload kills logins to the server that are under way,
 * and counts them as failed: so that none is, the pool is kept from growing before. The reload undoes that.
 *
 * @throws PgBouncerError when it does not use the user afterwards.
 */
export async function putInForce(
  admin: AdminConsole,
  database: string,
  username: string,
  clock: Clock,
): Promise<void> {
  await admin.run('SET default_pool_size=1')
  try {
    const by = clock.now() + loginsEndWithinMs
    while ((await logins(admin, database)) > 0 && clock.now() < by) await sleep(clock, pauseMs)
  } finally {
    await admin.run('RELOAD')
  }
  const entry = (await admin.run('SHOW DATABASES')).find(({ name }) => name === database)
  if (entry?.['force_user'] === username) return
  throw new PgBouncerError(
    entry
      ? `PgBouncer was reloaded, and comes to ${database} as another user than the one in the file. ` +
          'Its configuration has to %include the file, have no other entry for this database, and be without mistakes: see its log.'
      : `PgBouncer was reloaded, and knows no database ${database}. Its configuration has to %include the file: see its log.`,
  )
}

/** Resolves when every connection to the server from before the reload is closed. */
export async function oldOnesClosed(admin: AdminConsole, database: string): Promise<void> {
  await admin.run(`WAIT_CLOSE ${identifier(database)}`)
}

/** How many logins to the server are under way. */
async function logins(admin: AdminConsole, database: string): Promise<number> {
  const pools = await admin.run('SHOW POOLS')
  return pools
    .filter((pool) => pool['database'] === database)
    .reduce((sum, pool) => sum + Number(pool['sv_login']), 0)
}
