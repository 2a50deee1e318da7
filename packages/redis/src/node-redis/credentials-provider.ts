import { type Credential, InvalidOptionError } from '@vault-lease/core'
import type { Listener, NodeRedisClient, StreamingCredentials } from './driver.ts'

interface LogsIn {
  logIn(): Promise<Credential>
}

/** Is given to a listener in place of credentials, so that its connection answers. */
export class WhoAreYou {
  #connection: LogsIn | undefined

  answer(connection: LogsIn): void {
    this.#connection = connection
  }

  get connection(): LogsIn | undefined {
    return this.#connection
  }

  /** A client that is not ours takes it for credentials: nothing is sent. */
  get username(): never {
    throw new Error('no credentials')
  }
}

/** One for all: clients share it with their options, which they get from each other. */
export const credentialsProvider: StreamingCredentials = providerOf(async (listener) => {
  const connection = whose(listener)
  if (connection) return await connection.logIn()
  throw new InvalidOptionError('A client has the options of one on a lease: call vaultRedis() for it, too.')
})

/** As node-redis asks for it. */
export function providerOf(logIn: (listener: Listener) => Promise<Credential>): StreamingCredentials {
  return {
    type: 'streaming-credentials-provider',
    async subscribe(listener) {
      const { username, password } = await logIn(listener)
      return [{ username, password }, { dispose() {} }]
    },
    onReAuthenticationError() {},
  }
}

/** The connection that listens, if it is one of ours. */
export function whose(listener: Listener): LogsIn | undefined {
  const question = new WhoAreYou()
  listener.onNext(question)
  return question.connection
}

/** What a client has in common with all that its driver makes. */
export function kindOf(client: NodeRedisClient): NodeRedisClient {
  let kind: NodeRedisClient = Object.getPrototypeOf(client)
  while (!Object.hasOwn(kind, 'sendCommand')) kind = Object.getPrototypeOf(kind)
  return kind
}

/** The connection that listens, which is not ours yet: it is the one of its kind that sends what it is told. */
export function listening(listener: Listener, kind: NodeRedisClient): NodeRedisClient | undefined {
  const { sendCommand } = kind
  let found: NodeRedisClient | undefined
  kind.sendCommand = async function sends(this: NodeRedisClient) {
    found = this
  }
  try {
    listener.onNext({ username: '', password: '' })
  } finally {
    kind.sendCommand = sendCommand
  }
  return found
}
