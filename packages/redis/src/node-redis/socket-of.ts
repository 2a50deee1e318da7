import { Socket } from 'node:net'
import type { NodeRedisClient } from './driver.ts'

/** The socket of a client, which keeps it to itself: it is the one that is asked to keep the process alive. */
export function socketOf(ref: () => void, client: NodeRedisClient): Socket | undefined {
  const { ref: original } = Socket.prototype
  let socket: Socket | undefined
  Socket.prototype.ref = function found(this: Socket): Socket {
    socket = this
    return this
  }
  try {
    ref.call(client)
  } finally {
    Socket.prototype.ref = original
  }
  return socket
}
