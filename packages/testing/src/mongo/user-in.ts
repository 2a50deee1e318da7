import type { MongoDocument } from './messages.ts'

/** Who begins to log in by a command: as a command of its own, or within the first greeting. */
export function userIn({ saslStart, payload, speculativeAuthenticate }: MongoDocument): string | undefined {
  if (isDocument(speculativeAuthenticate)) return userIn(speculativeAuthenticate)
  if (saslStart === undefined || !(payload instanceof Uint8Array)) return undefined
  const [, user] = /,n=([^,]*)/.exec(Buffer.from(payload).toString()) ?? []
  return user
}

function isDocument(value: unknown): value is MongoDocument {
  return typeof value === 'object' && value !== null
}
