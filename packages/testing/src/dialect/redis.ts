import { countDropsOf } from '../redis/drop-counter.ts'
import { openSessions } from '../redis/open-sessions.ts'
import type { Dialect } from './dialect.ts'
import { likePattern } from './like.ts'

const dynamicUsers = 'V_%'

/** Valkey's plugin is another one, and does the same. */
export const redis: Dialect = {
  plugin: 'redis-database-plugin',
  dynamicUsers,
  countDrops: countDropsOf,
  // Clients look with INFO whether the server has loaded its data.
  creationStatements: () => ['["~*","&*","+@all","-@dangerous","+info"]'],
  revocationStatements: [],
  async users(server) {
    const [answer] = await server.query<{ reply: string[] }>('["ACL","USERS"]')
    return (answer?.reply ?? []).filter((name) => likePattern(dynamicUsers).test(name)).sort()
  },
  async sessions(session, users) {
    const pattern = likePattern(users)
    const sessions = [...(await openSessions(session))].sort()
    return sessions.filter(([name]) => pattern.test(name)).map(([name, sessions]) => ({ name, sessions }))
  },
}
