import type { Connection } from 'mongoose'

/** A connection with what its types hide. */
interface WithChildren extends Connection {
  /** What `useDb()` made of it. */
  readonly otherDbs: readonly Child[]
}

interface Child extends Connection {
  onOpen(): void
}

/** Gives what `useDb()` made before the connection was closed, and is connected anew, its new client. */
export function reconnectChildren(connection: Connection): void {
  const client = connection.getClient()
  for (const child of (connection as WithChildren).otherDbs) {
    if (child.getClient() === client) continue
    Object.assign(child, { client, db: client.db(child.name) })
    child.onOpen()
  }
}
