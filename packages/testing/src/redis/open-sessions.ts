import type { SuperuserSession } from '../database-server.ts'

/** How many sessions each user has open. */
export async function openSessions(server: Pick<SuperuserSession, 'query'>): Promise<Map<string, number>> {
  const [answer] = await server.query<{ reply: string }>('["CLIENT","LIST"]')
  const sessions = new Map<string, number>()
  for (const [, user = ''] of answer?.reply.matchAll(/ user=(\S+)/g) ?? [])
    sessions.set(user, (sessions.get(user) ?? 0) + 1)
  return sessions
}
