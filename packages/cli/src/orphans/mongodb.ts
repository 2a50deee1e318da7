import { type Document, MongoClient } from 'mongodb'
import type { OpenUsers } from './users.ts'

interface Account {
  readonly user: string
  readonly db: string
}

/** The users of a MongoDB. Nobody owns anything there. */
export const openMongoUsers: OpenUsers = async (url) => {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 5_000, maxPoolSize: 1 })
  await client.connect().catch(async (error: unknown) => {
    await client.close()
    throw error
  })
  const admin = client.db('admin')
  const accounts = async (): Promise<Account[]> => {
    // Vault makes users in "admin", unless the statements of a role say otherwise.
    const everywhere = await admin.command({ usersInfo: { forAllDBs: true } })
    const here = await admin.command({ usersInfo: 1 })
    const found: Account[] = [...everywhere['users'], ...here['users']]
    return [...new Map(found.map((account) => [`${account.db}.${account.user}`, account])).values()]
  }
  const accountsOf = async (username: string): Promise<Account[]> =>
    (await accounts()).filter(({ user }) => user === username)

  return {
    async list() {
      const names = new Set((await accounts()).map(({ user }) => user))
      return [...names].map((username) => ({ username, madeAt: undefined, validUntil: undefined }))
    },
    async sessions() {
      const { inprog } = await admin.command({ currentOp: 1, $all: true })
      return inprog.flatMap(({ effectiveUsers = [], client, ...operation }: Document) =>
        effectiveUsers
          .filter(({ user }: Account) => isSessionOf(user)({ ...operation, effectiveUsers }))
          .map(({ user }: Account) => ({ username: user, from: client, since: undefined })),
      )
    },
    async now() {
      const { localTime } = await admin.command({ hello: 1 })
      return localTime.getTime()
    },
    async belongingsOf(username) {
      if ((await accountsOf(username)).length === 0) return undefined
      const { inprog } = await admin.command({ currentOp: 1, $all: true })
      return { sessions: inprog.filter(isSessionOf(username)).length, owns: [] }
    },
    async drop(username) {
      const gone = await accountsOf(username)
      // First: nobody comes back between, and open connections may do nothing more.
      for (const { user, db } of gone) await client.db(db).command({ dropUser: user })
      await admin.command({ killAllSessions: gone.map(({ user, db }) => ({ user, db })) })
    },
    [Symbol.asyncDispose]: () => client.close(),
  }
}

function isSessionOf(username: string): (operation: Document) => boolean {
  return ({ desc, effectiveUsers = [] }) =>
    String(desc).startsWith('conn') && effectiveUsers.some(({ user }: Account) => user === username)
}
