import { EntitySchema } from 'typeorm'

export interface User {
  id: number
  name: string
  email: string
  createdAt: Date
}

export const Users = new EntitySchema<User>({
  name: 'User',
  tableName: 'users',
  columns: {
    id: { type: Number, primary: true, generated: true },
    name: { type: 'text' },
    email: { type: 'text', unique: true },
    createdAt: { name: 'created_at', type: 'timestamptz', createDate: true },
  },
})
