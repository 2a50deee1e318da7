import { once } from 'node:events'
import { createRequire } from 'node:module'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { BSON } from 'mongodb'

/** Makes of the bytes of an answer what an operation wants to have. */
type Response = new (bytes: Uint8Array, offset: number, isArray: boolean) => unknown

interface Internals {
  readonly Connection: {
    prototype: { command(ns: unknown, command: object, options: unknown, type?: Response): Promise<unknown> }
  }
  readonly ScramSHA256: { prototype: { auth(): Promise<void> } }
}

const greeting = {
  ok: 1,
  isWritablePrimary: true,
  minWireVersion: 0,
  maxWireVersion: 25,
  saslSupportedMechs: ['SCRAM-SHA-256'],
}

/**
 * From now on every connection of the driver answers at once: it is a primary, takes whoever logs in for the user, and says so
 * whatever it is asked. What listens at the port says nothing.
 */
export async function answerOnMongo(
  user: string,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const load = createRequire(import.meta.url)
  const { Connection }: Internals = load('mongodb/lib/cmap/connection.js')
  const { ScramSHA256 }: Internals = load('mongodb/lib/cmap/auth/scram.js')
  ScramSHA256.prototype.auth = async () => {}
  const answer = BSON.serialize({ ok: 1, authInfo: { authenticatedUsers: [{ user, db: 'admin' }] } })
  Connection.prototype.command = async (_ns, _command, _options, type) =>
    type ? new type(answer, 0, false) : greeting
  const sockets = new Set<Socket>()
  const server = createServer((socket) => sockets.add(socket.on('error', () => {})))
  server.listen(0)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
