import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { startPostgres } from '@vault-lease/testing'

/** A PostgreSQL whose user "app" has the newest token for a password, and the vendor's endpoint that gives the tokens. */
export interface TokenDatabase extends AsyncDisposable {
  readonly host: string
  readonly port: number
  readonly database: string
  /** Where the vendor's library asks. */
  readonly endpoint: string
  /** How many tokens were given. */
  given(): number
  /** Whether no token is given from now on. */
  falls(down: boolean): void
  /** Makes a token the only one that logs in. */
  accept(token: string): Promise<void>
}

/** What a vendor's endpoint makes of a new token. Undefined for a path that it does not know. */
type Answer = (request: IncomingMessage, newToken: () => string) => object | undefined

export async function startTokenDatabase(answer: Answer): Promise<TokenDatabase> {
  const postgres = await startPostgres()
  const { host, port, database } = postgres
  let given = 0
  let fallen = false
  await postgres.query('create role app login')
  const accept = async (token: string): Promise<void> => {
    await postgres.query(`alter role app password '${token}'`)
  }
  const server = createServer(async (request, response) => {
    let token: string | undefined
    const newToken = (): string => {
      token = randomBytes(600).toString('base64url')
      return token
    }
    const answered = answer(request, newToken)
    const body = fallen && token !== undefined ? undefined : answered
    if (body && token !== undefined) {
      given++
      await accept(token)
    }
    response.writeHead(body ? 200 : 404, { 'content-type': 'application/json', 'metadata-flavor': 'Google' })
    response.end(JSON.stringify(body ?? { error: 'not found' }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address() as AddressInfo
  return {
    host,
    port,
    database,
    endpoint: `127.0.0.1:${address.port}`,
    given: () => given,
    falls(down) {
      fallen = down
    },
    accept,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await postgres[Symbol.asyncDispose]()
    },
  }
}
