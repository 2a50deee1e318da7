import { EntitySchema } from '@mikro-orm/core'

export const Books = new EntitySchema<{ id: number; title: string }>({
  name: 'Book',
  tableName: 'books',
  properties: {
    id: { type: 'number', primary: true, autoincrement: true },
    title: { type: 'text' },
  },
})
