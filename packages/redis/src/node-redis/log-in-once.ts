import type { Credential } from '@vault-lease/core'
import { unlessAborted } from '@vault-lease/core/adapter'
import type { Logins } from '../leased-connections.ts'
import { ended } from './close-in-order.ts'
import { NodeRedisConnection } from './connection.ts'
import type { NodeRedisClient } from './driver.ts'

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

/** Versions before 6 throw when there is nothing left to close. */
export function destroyed(destroy: () => void): void {
  try {
    destroy()
  } catch {}
}
