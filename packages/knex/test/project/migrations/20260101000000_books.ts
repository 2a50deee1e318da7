import type { Knex } from 'knex'

export async function up(db: Knex): Promise<void> {
  await db.schema.createTable('books', (table) => {
    table.increments('id')
    table.text('title')
  })
}

export async function down(db: Knex): Promise<void> {
  await db.schema.dropTable('books')
}
