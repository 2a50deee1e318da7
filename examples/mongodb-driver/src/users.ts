import { type Collection, type MongoClient, ObjectId } from 'mongodb'

export interface UserInput {
  name: string
  email: string
}

export interface User extends UserInput {
  id: string
  created_at: Date
}

interface UserDocument extends UserInput {
  _id: ObjectId
  created_at: Date
}

/** The collection of users. */
export class Users {
  readonly #users: Collection<UserDocument>

  constructor(client: MongoClient) {
    this.#users = client.db().collection('users')
  }

  async list(): Promise<User[]> {
    return await this.#users.find().sort({ _id: 1 }).limit(100).map(userOf).toArray()
  }

  async find(id: string): Promise<User | undefined> {
    const found = await this.#users.findOne({ _id: new ObjectId(id) })
    return found ? userOf(found) : undefined
  }

  async create(input: UserInput): Promise<User> {
    const created = { _id: new ObjectId(), ...input, created_at: new Date() }
    await this.#users.insertOne(created)
    return userOf(created)
  }

  async change(id: string, input: Partial<UserInput>): Promise<User | undefined> {
    const changed = await this.#users.findOneAndUpdate(
      { _id: new ObjectId(id) },
      { $set: input },
      { returnDocument: 'after' },
    )
    return changed ? userOf(changed) : undefined
  }

  async delete(id: string): Promise<boolean> {
    const { deletedCount } = await this.#users.deleteOne({ _id: new ObjectId(id) })
    return deletedCount > 0
  }
}

function userOf({ _id, ...user }: UserDocument): User {
  return { id: _id.toHexString(), ...user }
}
