import { setTimeout as sleep } from 'node:timers/promises'
import type { Listening } from '@vault-lease/core'
import { type Hold, listenOn } from '@vault-lease/core/adapter'
import type { Notification as Notified, PoolClient } from 'pg'
import { asPgClient } from './driver.ts'
import type { VaultPool } from './pool-class.ts'

/** What was notified. */
export interface Notification {
  readonly channel: string
  /** Empty where none was given. */
  readonly payload: string
  /** The process of the server that has notified. */
  readonly processId: number
}

const pauseMs = 50

/**
 * Hears what is notified on channels (`NOTIFY`, `pg_notify()`), also while database users replace each other: the next
 * connection listens before the old one stops, and each notification is told once, in the server's order.
 *
 * It holds a connection of the pool, and for a moment of each rotation a second one: `max` has to have room. A connection that
 * is lost comes back by itself, which `lost` and `restored` tell. Close it before the pool.
 *
 * @example
 * const listening = await listen(pool, ['jobs'], ({ payload }) => begin(payload))
 * closeOnSignal(listening, pool)
 *
 * @throws InvalidOptionError for no channel, or for a name that PostgreSQL would cut.
 * @throws the pool's own error, such as CredentialsUnavailableError, when it cannot begin.
 */
export async function listen(
  pool: VaultPool,
  channels: readonly string[],
  onNotification: (notification: Notification) => unknown,
): Promise<Listening> {
  const { lease } = pool
  return await listenOn({ lease, hasEnded: () => pool.ending, hold: holdOn(pool) }, channels, onNotification)
}

function holdOn(pool: VaultPool): Hold<Notification> {
  return async ({ heard, lost }, closing) => {
    const client = await connectAsNewest(pool, closing)
    const hear = ({ channel, payload = '', processId }: Notified): void =>
      heard({ channel, payload, processId })
    const ended = (): void => lost(new Error('The connection that listens was closed.'))
    client.on('notification', hear).on('error', lost).on('end', ended)
    return {
      run: (statement) => client.query(statement),
      giveBack(failure) {
        client.off('notification', hear).off('error', lost).off('end', ended)
        client.release(failure)
      },
    }
  }
}

/** After a rotation the pool still lends connections of the old user until it is their turn. */
async function connectAsNewest(pool: VaultPool, closing: AbortSignal): Promise<PoolClient> {
  for (;;) {
    const client = await pool.connect()
    const { user } = asPgClient(client).connectionParameters
    if (user === pool.lease.status().username) return client
    client.release(true)
    await sleep(pauseMs, undefined, { signal: closing })
  }
}
