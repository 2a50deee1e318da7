import { once } from 'node:events'
import type { Socket } from 'node:net'
import { settlesWithin } from '@vault-lease/core/adapter'

/** A server that does not close a connection whose other half has ended is left after this time. */
export const closesWithinMs = 2_000

/** How a socket is left. */
interface Leaving {
  /** Resolves when both sides have closed it. */
  readonly closed: Promise<void>
  /** Closes it at once. */
  abandon(): void
}

/** The driver destroys its socket, and never learns when the server has noticed. From now on only its half ends then. */
export function closeInOrder(socket: Socket): Leaving {
  const destroy = socket.destroy.bind(socket)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.destroy = (error) => {
    if (error || socket.readableEnded || socket.writableEnded) return destroy(error)
    // Somebody waits for it.
    socket.ref().end()
    void settlesWithin(closed, closesWithinMs).then(() => destroy())
    return socket.resume()
  }
  return { closed, abandon: () => void destroy() }
}

/** Ends a connection that nobody uses. Resolves when the server has closed it, or after a while. */
export async function ended({ socket }: { readonly socket: Socket | undefined }): Promise<void> {
  if (!socket) return
  const closed = once(socket, 'close')
  socket.end()
  await settlesWithin(closed, closesWithinMs)
}
