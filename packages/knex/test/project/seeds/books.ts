import type { Knex } from 'knex'

export async function seed(db: Knex): Promise<void> {
  await db('books').insert({ title: 'A Discipline of Programming' })
}
