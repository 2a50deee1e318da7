import type { Duplex } from 'node:stream'

/** A message of the server. */
export interface Message {
  /** Its type: one letter. */
  readonly type: string
  /** The whole of it. */
  readonly bytes: Buffer
  readonly body: Buffer
}

const headerBytes = 5
const versionThree = 196_608
/** In the place of a version: "Canceling Requests in Progress". */
const cancelCode = 80_877_102
const sslCode = 80_877_103

/** Cuts what a server sends into its messages. */
export class MessageCutter {
  #rest: Buffer = Buffer.alloc(0)

  cut(chunk: Buffer): Message[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const messages: Message[] = []
    while (this.#rest.length >= headerBytes) {
      const end = 1 + this.#rest.readUInt32BE(1)
      if (this.#rest.length < end) break
      const bytes = this.#rest.subarray(0, end)
      messages.push({ type: String.fromCharCode(bytes[0] ?? 0), bytes, body: bytes.subarray(headerBytes) })
      this.#rest = this.#rest.subarray(end)
    }
    return messages
  }
}

/** Gives the messages of a server one by one, to somebody who waits for them, and leaves its listeners behind when it is returned. */
export async function* messagesOf(socket: Duplex): AsyncGenerator<Message, void, void> {
  const cutter = new MessageCutter()
  const read: Message[] = []
  let failure: Error | undefined
  let wake = (): void => {}
  const onData = (chunk: Buffer): void => {
    read.push(...cutter.cut(chunk))
    wake()
  }
  const onError = (error: Error): void => {
    failure ??= error
    wake()
  }
  const onClose = (): void => onError(new Error('The server has closed the connection.'))
  socket.on('data', onData).on('error', onError).on('close', onClose)
  if (socket.destroyed) onClose()
  socket.resume()
  try {
    for (;;) {
      const message = read.shift()
      if (message) yield message
      else if (failure) throw failure
      else
        await new Promise<void>((resolve) => {
          wake = resolve
        })
    }
  } finally {
    socket.off('data', onData).off('error', onError).off('close', onClose)
  }
}

/** A message of a client. */
export function message(type: string, ...parts: readonly (Buffer | string)[]): Buffer {
  const body = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
  const header = Buffer.alloc(headerBytes)
  header.write(type)
  header.writeUInt32BE(body.length + 4, 1)
  return Buffer.concat([header, body])
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** ReadyForQuery, outside of a transaction. */
export const nothingRuns: Buffer = message('Z', 'I')

/** Says farewell to a server. */
export const farewell: Buffer = message('X')

export const sslRequest: Buffer = Buffer.concat([int32(8), int32(sslCode)])

/** The first message of a session. */
export function startup(parameters: Readonly<Record<string, string>>): Buffer {
  const texts = Object.entries(parameters).map(([name, value]) => `${name}\0${value}\0`)
  const body = Buffer.from(`${texts.join('')}\0`)
  return Buffer.concat([int32(body.length + 8), int32(versionThree), body])
}

/** What a client says in its first message. */
export function parametersOf(first: Buffer): Record<string, string> {
  const [...texts] = first.toString('utf8', 8).split('\0')
  const parameters: Record<string, string> = {}
  for (let at = 0; texts[at]; at += 2) parameters[texts[at] ?? ''] = texts[at + 1] ?? ''
  return parameters
}

/** Has a server cancel what a session runs. It travels on a connection of its own. */
export function cancelRequest(pid: number, secret: number): Buffer {
  const key = Buffer.alloc(8)
  key.writeUInt32BE(pid)
  key.writeUInt32BE(secret, 4)
  return Buffer.concat([int32(16), int32(cancelCode), key])
}

export function isCancelRequest(first: Buffer): boolean {
  return first.length >= 8 && first.readUInt32BE(4) === cancelCode
}

/** An error that the server has answered with. */
export class ServerError extends Error {
  readonly code: string
  /** The message of the server, for the driver to read. */
  readonly response: Buffer

  constructor({ bytes, body }: Message) {
    const fields = new Map(
      body
        .toString()
        .split('\0')
        .map((field) => [field[0], field.slice(1)]),
    )
    super(fields.get('M') ?? 'The server has answered with an error.')
    this.name = 'ServerError'
    this.code = fields.get('C') ?? ''
    this.response = bytes
  }
}
