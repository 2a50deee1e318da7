import mongoose, { Schema } from 'mongoose'

export interface UserInput {
  name: string
  email: string
}

const text = { type: String, required: true, minLength: 1, maxLength: 200 }

const userSchema = new Schema(
  {
    name: text,
    email: { ...text, match: /^[^\s@]+@[^\s@]+$/, unique: true },
  },
  {
    timestamps: { createdAt: 'created_at', updatedAt: false },
    versionKey: false,
    toJSON: { transform: (_user, { _id: id, ...shown }) => ({ id, ...shown }) },
  },
)

export const User = mongoose.model('User', userSchema)
