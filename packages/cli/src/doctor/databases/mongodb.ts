import { settlesWithin } from '@vault-lease/core/adapter'
import { type Finding, skipped } from '../finding.ts'
import { links } from '../links.ts'
import { databaseClock } from './clock.ts'
import { answersWithinMs, type DatabaseSession, endsWithinMs, type Load, type Named } from './examined.ts'
import { roomFor } from './room.ts'

export async function openMongodb(url: string): Promise<DatabaseSession> {
  const { MongoClient } = await import('mongodb')
  const client = new MongoClient(url, {
    serverSelectionTimeoutMS: answersWithinMs,
    connectTimeoutMS: answersWithinMs,
    socketTimeoutMS: answersWithinMs,
    maxPoolSize: 1,
  })
  const close = async (): Promise<void> => void (await settlesWithin(client.close(), endsWithinMs))
  try {
    await client.connect()
  } catch (error) {
    await close()
    throw error
  }
  const db = client.db('admin')
  return {
    async user() {
      const { authInfo } = await db.command({ connectionStatus: 1 })
      return `${authInfo?.authenticatedUsers?.[0]?.user}`
    },
    async look(load): Promise<readonly Named[]> {
      const began = Date.now()
      const { localTime } = await db.command({ hello: 1 })
      const at = (began + Date.now()) / 2
      const clock =
        localTime instanceof Date
          ? databaseClock(localTime.getTime(), at)
          : skipped('the server does not tell its time')
      return [
        ['clock', clock],
        ['connections', await roomOf(() => db.command({ serverStatus: 1 }), load)],
      ]
    },
    close,
  }
}

async function roomOf(
  serverStatus: () => Promise<{
    readonly connections?: { readonly current: number; readonly available: number }
  }>,
  load: Load,
): Promise<Finding> {
  try {
    const { connections } = await serverStatus()
    if (!connections) return skipped('the server does not tell how many it takes')
    const limit = connections.current + connections.available
    // While an old client drains each instance has two.
    const whileRotating = { ...load, poolMax: 2 * load.poolMax }
    // Its own is counted.
    return roomFor(
      whileRotating,
      { limitName: 'maxIncomingConnections', limit, others: connections.current - 1, mayBeOurs: true },
      links.databases,
    )
  } catch {
    return skipped(
      'the user may not ask how many the server takes (serverStatus, of the role clusterMonitor)',
    )
  }
}
