import { countDropsOf } from '../mongo/drop-counter.ts'
import { openSessions } from '../mongo/open-sessions.ts'
import { providePlugin } from '../mongo/plugin.ts'
import type { Dialect } from './dialect.ts'
import { likePattern } from './like.ts'

const plugin = 'mongodb-database-plugin'

export const mongodb: Dialect = {
  plugin,
  dynamicUsers: 'v-%',
  provide: (vault) => providePlugin(vault, plugin),
  countDrops: countDropsOf,
  creationStatements: (database) => [
    JSON.stringify({ db: 'admin', roles: [{ role: 'readWrite', db: database }] }),
  ],
  revocationStatements: ['{"db":"admin"}'],
  async users(server) {
    const [reply] = await server.query<{ users: { user: string }[] }>('{"usersInfo":1,"$db":"admin"}')
    const names = (reply?.users ?? []).map(({ user }) => user)
    return names.filter((name) => name.startsWith('v-')).sort()
  },
  async sessions(session, users) {
    const pattern = likePattern(users)
    const sessions = [...(await openSessions(session))].sort()
    return sessions.filter(([name]) => pattern.test(name)).map(([name, sessions]) => ({ name, sessions }))
  },
}
