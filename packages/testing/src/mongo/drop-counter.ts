import type { Connection } from '../database-server.ts'
import type { Drop, DropCounter } from '../drops.ts'
import { openMongoGateway } from './gateway.ts'
import { openSessions } from './open-sessions.ts'

/** Vault's plugin can only drop a user, so the sessions are counted on the way of its command to the server. */
export async function countDropsOf(server: Connection): Promise<DropCounter> {
  const drops: Drop[] = []
  const gateway = await openMongoGateway({
    host: server.host,
    port: server.port,
    async onCommand({ dropUser: username }) {
      if (typeof username !== 'string') return
      const sessions = await openSessions(server)
      drops.push({ username, openSessions: sessions.get(username) ?? 0, at: Date.now() })
    },
  })
  const options = 'directConnection=true&serverSelectionTimeoutMS=3000&connectTimeoutMS=3000'
  return {
    config: {
      connection_url: `mongodb://{{username}}:{{password}}@${gateway.host}:${gateway.port}/admin?${options}`,
    },
    drops: async () => [...drops],
    close: gateway.close,
  }
}
