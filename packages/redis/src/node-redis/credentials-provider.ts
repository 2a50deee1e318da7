import { type Credential, InvalidOptionError } from '@vault-lease/core'

/** What asks node-redis for a user and a password, each time that a connection logs in. */
export interface StreamingCredentials {
  readonly type: 'streaming-credentials-provider'
  subscribe(listener: Listener): Promise<[Pick<Credential, 'username' | 'password'>, { dispose(): void }]>
  onReAuthenticationError(error: Error): void
}

/** The connection that logs in. */
interface Listener {
  onNext(credentials: object): void
}

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
export const credentialsProvider: StreamingCredentials = {
  type: 'streaming-credentials-provider',
  async subscribe(listener) {
    const question = new WhoAreYou()
    listener.onNext(question)
    if (!question.connection) {
      throw new InvalidOptionError(
        'A client has the options of one on a lease: call vaultRedis() for it, too.',
      )
    }
    const { username, password } = await question.connection.logIn()
    return [{ username, password }, { dispose() {} }]
  },
  onReAuthenticationError() {},
}
