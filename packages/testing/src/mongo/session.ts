import { once } from 'node:events'
import { connect } from 'node:net'
import { BSON, MongoClient } from 'mongodb'
import { type Connection, connectionBy, type Place, type SuperuserSession } from '../database-server.ts'

/** What takes commands as Extended JSON. An empty user name logs in as nobody. */
export function connectionTo(place: Place): Connection {
  return connectionBy('mongodb', place, openSession)
}

async function openSession({ host, port, database, superuser }: Place): Promise<SuperuserSession> {
  const { user: username, password } = superuser
  await someoneListens(host, port)
  const client = new MongoClient(`mongodb://${host}:${port}/`, {
    directConnection: true,
    maxPoolSize: 1,
    serverSelectionTimeoutMS: 2_000,
    ...(username !== '' && { auth: { username, password }, authSource: 'admin' }),
  })
  const end = (): Promise<void> => client.close().catch(() => {})
  await client.connect().catch(async (error: unknown) => {
    await end()
    throw error
  })
  return {
    async query<Row extends object>(statement: string): Promise<Row[]> {
      const { $db = database, ...command } = BSON.EJSON.parse(statement)
      const reply = await client.db($db).command(command)
      return reply['cursor']?.firstBatch ?? [reply]
    },
    end,
  }
}

/** Where nobody does, the driver would look again only after half a second. */
async function someoneListens(host: string, port: number): Promise<void> {
  const socket = connect(port, host)
  await once(socket, 'connect').finally(() => socket.destroy())
}
