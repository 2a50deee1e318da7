import type { SuperuserSession } from '../database-server.ts'

interface Connections {
  readonly inprog: readonly {
    readonly desc?: string
    readonly effectiveUsers?: readonly { user: string }[]
  }[]
}

/** How many connections each user has that is logged in. */
export async function openSessions(session: Pick<SuperuserSession, 'query'>): Promise<Map<string, number>> {
  const [reply] = await session.query<Connections>('{"currentOp":1,"$all":true,"$db":"admin"}')
  const sessions = new Map<string, number>()
  for (const { desc, effectiveUsers = [] } of reply?.inprog ?? []) {
    // What the server runs by itself is listed too.
    if (!desc?.startsWith('conn')) continue
    for (const { user } of effectiveUsers) sessions.set(user, (sessions.get(user) ?? 0) + 1)
  }
  return sessions
}
