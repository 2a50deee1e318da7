import { InvalidOptionError, type Listening } from '@vault-lease/core'
import { type Hold, listenOn } from '@vault-lease/core/adapter'
import { clientBehind, type LeasedClient } from './client.ts'
import type { VaultSql } from './vault-postgres.ts'

/** What was notified. */
export interface Notification {
  readonly channel: string
  /** Empty where none was given. */
  readonly payload: string
}

const endWithinS = 1

/**
 * Hears what is notified on channels (`NOTIFY`, `sql.notify()`), also while database users replace each other: the next
 * connection listens before the old one stops, and each notification is told once, in the server's order.
 *
 * It holds a connection of its own beside `max`, and for a moment of each rotation a second one. A connection that is lost comes
 * back by itself, which `lost` and `restored` tell. Close it before the client.
 *
 * @example
 * const listening = await listen(sql, ['jobs'], ({ payload }) => begin(payload))
 * closeOnSignal(listening, sql)
 *
 * @throws InvalidOptionError for no channel, for a name that PostgreSQL would cut, or for a client that is not one of ours.
 * @throws the driver's own error, or CredentialsUnavailableError, when it cannot begin.
 */
export async function listen<TTypes extends Record<string, unknown>>(
  sql: VaultSql<TTypes>,
  channels: readonly string[],
  onNotification: (notification: Notification) => unknown,
): Promise<Listening> {
  const client = clientBehind(sql)
  if (!client) throw new InvalidOptionError('listen() takes what vaultPostgres() gave, and not a part of it.')
  const pool = { lease: sql.lease, hasEnded: () => client.isEnded, hold: holdBeside(client) }
  return await listenOn(pool, channels, onNotification)
}

function holdBeside(client: LeasedClient): Hold<Notification> {
  return async ({ heard, lost }) => {
    const onnotify = (channel: string, payload: string): void => heard({ channel, payload })
    const own = { max: 1, idle_timeout: null, max_lifetime: null, fetch_types: false, onclose: undefined }
    const beside = client.beside({ ...own, onnotify })
    const end = (): Promise<void> => beside.sql.end({ timeout: endWithinS })
    try {
      const reserved = await beside.sql.reserve()
      const closed = beside.whenClosed(reserved)
      void closed.then(() => lost(new Error('The connection that listens was closed.')))
      return {
        run: async (statement) => await reserved.unsafe(statement),
        async giveBack() {
          reserved.release()
          await end()
        },
      }
    } catch (error) {
      await end()
      throw error
    }
  }
}
