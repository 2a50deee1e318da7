import type { Generated } from 'kysely'

interface Users {
  id: Generated<number>
  name: string
  email: string
  created_at: Generated<Date>
}

export interface Database {
  users: Users
}
