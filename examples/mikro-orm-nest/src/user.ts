import { Entity, type Opt, PrimaryKey, Property } from '@mikro-orm/core'

/** Every property says its type, so that no compiler has to emit it as metadata. */
@Entity({ tableName: 'users' })
export class User {
  @PrimaryKey({ type: 'integer', autoincrement: true })
  id!: number

  @Property({ type: 'text' })
  name!: string

  @Property({ type: 'text', unique: true })
  email!: string

  @Property({ type: 'datetime', fieldName: 'created_at', defaultRaw: 'current_timestamp' })
  createdAt!: Date & Opt
}
