import { BSON } from 'mongodb'

/** A command or a reply, without what follows it in sections of its own, such as documents to insert. */
export type MongoDocument = Readonly<Record<string, unknown>>

const headerLength = 16
const opQuery = 2004
const opMsg = 2013
const moreToCome = 2

/** Splits what comes over a connection into whole messages. */
export async function* messages(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= headerLength && rest.length >= rest.readInt32LE(0)) {
      const length = rest.readInt32LE(0)
      yield rest.subarray(0, length)
      rest = rest.subarray(length)
    }
  }
}

/** The command in a message, if the message is of the kind that holds one. */
export function commandIn(message: Buffer): MongoDocument | undefined {
  if (message.readInt32LE(12) !== opMsg) return undefined
  for (let at = headerLength + 4; at < message.length; ) {
    const kind = message.readUInt8(at)
    const size = message.readInt32LE(at + 1)
    if (kind === 0) return deserialize(message.subarray(at + 1, at + 1 + size))
    at += 1 + size
  }
  return undefined
}

/** The greeting in a message of the kind that drivers use only for it. */
export function greetingIn(message: Buffer): MongoDocument | undefined {
  if (message.readInt32LE(12) !== opQuery) return undefined
  const endOfName = message.indexOf(0, headerLength + 4)
  return deserialize(message.subarray(endOfName + 1 + 8))
}

/** Whether the client waits for a reply. */
export function wantsReply(message: Buffer): boolean {
  return (message.readUInt32LE(headerLength) & moreToCome) === 0
}

export function replyTo(message: Buffer, reply: MongoDocument): Buffer {
  const body = BSON.serialize(reply)
  const header = Buffer.alloc(headerLength + 5)
  header.writeInt32LE(header.length + body.length, 0)
  header.writeInt32LE(message.readInt32LE(4), 8)
  header.writeInt32LE(opMsg, 12)
  return Buffer.concat([header, body])
}

function deserialize(bson: Buffer): MongoDocument {
  return BSON.deserialize(bson, { promoteBuffers: true })
}
