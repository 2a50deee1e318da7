import type { Duplex } from 'node:stream'
import { settlesWithin } from '@vault-lease/core/adapter'

/**
 * Ends sockets and resolves once the server has ended them too. The driver only drops them, and the server would learn of
 * it some time after.
 */
export async function sayFarewell(sockets: Iterable<Duplex>, withinMs: number): Promise<void> {
  const closed = Array.from(sockets, (socket) => {
    if (socket.closed) return undefined
    return new Promise<void>((resolve) => {
      socket.once('close', resolve)
      socket.end()
    })
  })
  await settlesWithin(Promise.all(closed), withinMs)
}
