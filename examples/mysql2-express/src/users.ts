import type { Pool, ResultSetHeader, RowDataPacket } from 'mysql2/promise'

export interface UserInput {
  name: string
  email: string
}

export interface User extends UserInput {
  id: number
  created_at: Date
}

/** The table of users. */
export class Users {
  readonly #pool: Pool

  constructor(pool: Pool) {
    this.#pool = pool
  }

  async list(): Promise<User[]> {
    const [users] = await this.#pool.query<(User & RowDataPacket)[]>(
      'select * from users order by id limit 100',
    )
    return users
  }

  async find(id: number): Promise<User | undefined> {
    const [[user]] = await this.#pool.execute<(User & RowDataPacket)[]>('select * from users where id = ?', [
      id,
    ])
    return user
  }

  /** In one transaction, so that what is answered is what was written. */
  async create({ name, email }: UserInput): Promise<User | undefined> {
    await using connection = await this.#pool.getConnection()
    await connection.beginTransaction()
    try {
      const [{ insertId }] = await connection.execute<ResultSetHeader>(
        'insert into users (name, email) values (?, ?)',
        [name, email],
      )
      const [[user]] = await connection.execute<(User & RowDataPacket)[]>(
        'select * from users where id = ?',
        [insertId],
      )
      await connection.commit()
      return user
    } catch (error) {
      await connection.rollback()
      throw error
    }
  }

  async change(id: number, input: Partial<UserInput>): Promise<User | undefined> {
    await this.#pool.query('update users set ? where id = ?', [input, id])
    return await this.find(id)
  }

  async delete(id: number): Promise<boolean> {
    const [{ affectedRows }] = await this.#pool.execute<ResultSetHeader>('delete from users where id = ?', [
      id,
    ])
    return affectedRows > 0
  }
}
