import { createHash } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { Credential } from '@vault-lease/core'
import { int32, type Message, message, messagesOf, ServerError, startup } from './messages.ts'
import { Scram } from './scram.ts'

/** What a server says to a user whom it has let in. */
export interface Greeting {
  /** All of it but the last message, which says that the session is ready. */
  readonly bytes: Buffer
  readonly ready: Buffer
  /** What cancels a statement of the session. */
  readonly pid: number
  readonly secret: number
}

const scram = 'SCRAM-SHA-256'
/** What the server asks for in a message "R". */
const asked = { nothing: 0, clear: 3, md5: 5, sasl: 10, saslGoesOn: 11, saslEnds: 12 } as const

/**
 * Logs in on a connection that is open, so that the driver has neither the user nor the password.
 *
 * @throws ServerError for what the server answers, or the error of the connection.
 */
export async function logIn(
  socket: Duplex,
  { username, password }: Credential,
  parameters: Readonly<Record<string, string>>,
): Promise<Greeting> {
  const answers = answering(username, password)
  const said: Buffer[] = []
  let key = { pid: 0, secret: 0 }
  const messages = messagesOf(socket)
  socket.write(startup({ ...parameters, user: username }))
  for await (const each of messages) {
    if (each.type === 'E') throw new ServerError(each)
    if (each.type === 'Z') return { bytes: Buffer.concat(said), ready: each.bytes, ...key }
    if (each.type === 'K') key = { pid: each.body.readUInt32BE(0), secret: each.body.readUInt32BE(4) }
    if (each.type === 'R' && each.body.readUInt32BE(0) !== asked.nothing) {
      const answer = await answers(each)
      if (answer) socket.write(answer)
    } else said.push(each.bytes)
  }
  throw new Error('The server has closed the connection.')
}

/** Gives the answer to each thing that a server asks for before it lets a user in. */
function answering(username: string, password: string): (asks: Message) => Promise<Buffer | undefined> {
  const exchange = new Scram(password)
  return async ({ body }) => {
    const what = body.readUInt32BE(0)
    const text = body.toString('utf8', 4)
    switch (what) {
      case asked.clear:
        return message('p', `${password}\0`)
      case asked.md5: {
        const known = md5(`${password}${username}`)
        return message('p', `md5${md5(Buffer.concat([Buffer.from(known), body.subarray(4, 8)]))}\0`)
      }
      case asked.sasl: {
        if (!text.split('\0').includes(scram)) break
        const { first } = exchange
        return message('p', `${scram}\0`, int32(Buffer.byteLength(first)), first)
      }
      case asked.saslGoesOn:
        return message('p', await exchange.answer(text))
      case asked.saslEnds:
        return exchange.check(text) as undefined
    }
    throw new Error(`The server asks for a way to log in that is not supported (${what}).`)
  }
}

function md5(of: string | Buffer): string {
  return createHash('md5').update(of).digest('hex')
}
