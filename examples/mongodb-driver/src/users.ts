import type { Collection, MongoClient } from 'mongodb'

export interface UserInput {
  name: string
  email: string
}

export interface User extends UserInput {
  id: number
  created_at: Date
}

interface UserDocument extends UserInput {
  _id: number
  created_at: Date
}

interface Counter {
  _id: 'users'
  last: number
}

/** The collection of users. */
export class Users {
  readonly #client: MongoClient
  readonly #users: Collection<UserDocument>
  readonly #counters: Collection<Counter>

  constructor(client: MongoClient) {
    this.#client = client
    this.#users = client.db().collection('users')
    this.#counters = client.db().collection('counters')
  }

  async list(): Promise<User[]> {
    return await this.#users.find().sort({ _id: 1 }).limit(100).map(userOf).toArray()
  }

  async find(id: number): Promise<User | undefined> {
    const found = await this.#users.findOne({ _id: id })
    return found ? userOf(found) : undefined
  }

  /** In one transaction, so that no number is spent on a user who is refused. */
  async create(input: UserInput): Promise<User> {
    return await this.#client.withSession((session) =>
      session.withTransaction(async () => {
        const counter = await this.#counters.findOneAndUpdate(
          { _id: 'users' },
          { $inc: { last: 1 } },
          { upsert: true, session },
        )
        const created = { _id: (counter?.last ?? 0) + 1, ...input, created_at: new Date() }
        await this.#users.insertOne(created, { session })
        return userOf(created)
      }),
    )
  }

  async change(id: number, input: Partial<UserInput>): Promise<User | undefined> {
    const changed = await this.#users.findOneAndUpdate(
      { _id: id },
      { $set: input },
      { returnDocument: 'after' },
    )
    return changed ? userOf(changed) : undefined
  }

  async delete(id: number): Promise<boolean> {
    const { deletedCount } = await this.#users.deleteOne({ _id: id })
    return deletedCount > 0
  }
}

function userOf({ _id: id, ...user }: UserDocument): User {
  return { id, ...user }
}
