import { Counter, User, type UserInput } from './models.ts'

/** In one transaction, so that no number is spent on a user who is refused. */
export async function createUser(input: Partial<UserInput>) {
  return await User.db.transaction(async (session) => {
    const counter = await Counter.findByIdAndUpdate('users', { $inc: { last: 1 } }, { upsert: true, session })
    const user = new User({ ...input, _id: (counter?.last ?? 0) + 1 })
    return await user.save({ session })
  })
}
