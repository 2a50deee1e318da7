import { once } from 'node:events'
import type { Credential } from '@vault-lease/core'
import { settlesWithin, systemClock, unlessAborted } from '@vault-lease/core/adapter'
import type { Logins } from '../leased-connections.ts'
import { NodeRedisConnection } from './connection.ts'
import type { NodeRedisClient } from './driver.ts'

/** A server that does not close a connection whose other half has ended is left after this time. */
const closesWithinMs = 2_000

/** @throws what the server or the way to it says, or the reason of the signal. */
export async function logInOnce(
  client: NodeRedisClient,
  credential: Credential,
  signal: AbortSignal,
): Promise<{ readonly gone: Promise<void> }> {
  const connection = new NodeRedisConnection(client, onlyAs(credential))
  const leave = (): void => destroyed(() => client.destroy())
  try {
    await unlessAborted(client.connect(), signal)
    return { gone: ended(connection).then(leave) }
  } catch (error) {
    leave()
    throw error
  }
}

/** What a connection asks of its lease if it is there to try a user, and nobody else. */
export function onlyAs(credential: Credential): Logins {
  return {
    current: credential,
    credential: async () => credential,
    refused: async () => false,
    accepted() {},
    loggedIn() {},
  }
}

/** Ends a connection that nobody uses. Resolves when the server has closed it, or after a while. */
export async function ended({ socket }: Pick<NodeRedisConnection, 'socket'>): Promise<void> {
  if (!socket) return
  const closed = once(socket, 'close')
  socket.end()
  await settlesWithin(closed, closesWithinMs, systemClock)
}

/** Versions before 6 throw when there is nothing left to close. */
export function destroyed(destroy: () => void): void {
  try {
    destroy()
  } catch {}
}
