import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'

export class Users20260101000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const users = new Table({
      name: 'users',
      columns: [
        { name: 'id', type: 'integer', isPrimary: true, isGenerated: true },
        { name: 'name', type: 'text' },
        { name: 'email', type: 'text', isUnique: true },
        { name: 'created_at', type: 'timestamptz', default: 'now()' },
      ],
    })
    await runner.createTable(users)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('users')
  }
}
