import type { DatabaseServer } from '@vault-lease/testing'
import type { ClientSession, MongoClient } from 'mongodb'

interface Operations {
  readonly inprog: readonly {
    readonly desc: string
    readonly effectiveUsers?: readonly { readonly user: string }[]
  }[]
}

/** Who works in a session. In a transaction it cannot ask by itself, but the server tells the superuser. */
export class SessionUsers {
  readonly #server: Pick<DatabaseServer, 'query'>
  readonly #connections = new Map<string, string>()

  constructor(client: MongoClient, server: Pick<DatabaseServer, 'query'>) {
    this.#server = server
    client.on('commandStarted', ({ command, serverConnectionId }) => {
      if (command['lsid']) this.#connections.set(nameOf(command['lsid'].id), `conn${serverConnectionId}`)
    })
  }

  /** Whose connection served the last command of the session. */
  async userOf(session: ClientSession): Promise<string> {
    const connection = this.#connections.get(nameOf(session.id?.id))
    const [operations] = await this.#server.query<Operations>('{"currentOp":1,"$all":true,"$db":"admin"}')
    const operation = operations?.inprog.find(({ desc }) => desc === connection)
    return operation?.effectiveUsers?.[0]?.user ?? ''
  }
}

function nameOf(id: { toString(encoding: 'hex'): string } | undefined): string {
  return id?.toString('hex') ?? ''
}
