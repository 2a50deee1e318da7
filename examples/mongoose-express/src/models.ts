import mongoose, { type InferSchemaType, Schema } from 'mongoose'

const text = { type: String, required: true, minLength: 1, maxLength: 200 } as const

const userSchema = new Schema(
  {
    _id: { type: Number, required: true },
    name: text,
    email: { ...text, match: /^[^\s@]+@[^\s@]+$/, unique: true },
  },
  {
    timestamps: { createdAt: 'created_at', updatedAt: false },
    versionKey: false,
    id: false,
    toJSON: { transform: (_user, { _id: id, ...shown }) => ({ id, ...shown }) },
  },
)

export type UserInput = Pick<InferSchemaType<typeof userSchema>, 'name' | 'email'>

export const User = mongoose.model('User', userSchema)

/** The last number of each collection that has numbers. */
export const Counter = mongoose.model(
  'Counter',
  new Schema({ _id: { type: String, required: true }, last: { type: Number, required: true } }),
)
