import { Redis } from 'ioredis'
import { type Connection, connectionBy, type Place, type SuperuserSession } from '../database-server.ts'

/** What takes commands as JSON arrays. */
export function connectionTo(place: Place): Connection {
  return connectionBy('redis', place, openSession)
}

async function openSession({ host, port, database, superuser }: Place): Promise<SuperuserSession> {
  const redis = new Redis({
    host,
    port,
    db: Number(database),
    username: superuser.user,
    password: superuser.password,
    lazyConnect: true,
    connectTimeout: 5_000,
    retryStrategy: () => null,
    autoResendUnfulfilledCommands: false,
  })
  let failure: unknown
  redis.on('error', (error) => {
    failure = error
  })
  await redis.connect().catch((error: unknown) => {
    redis.disconnect()
    // What a closed connection says tells less.
    throw failure ?? error
  })
  return {
    async query<Row extends object>(statement: string): Promise<Row[]> {
      const [command = '', ...values]: string[] = JSON.parse(statement)
      return [{ reply: await redis.call(command, ...values) }] as Row[]
    },
    async end() {
      await redis.quit().catch(() => redis.disconnect())
    },
  }
}
