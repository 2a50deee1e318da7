import { type MigrationInterface, type QueryRunner, Table } from 'typeorm'

export class Users20260101000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    const users = new Table({
      name: 'users',
      columns: [
        { name: 'id', type: 'int', isPrimary: true, isGenerated: true, generationStrategy: 'increment' },
        { name: 'name', type: 'varchar', length: '200' },
        { name: 'email', type: 'varchar', length: '200', isUnique: true },
        { name: 'created_at', type: 'datetime', precision: 6, default: 'current_timestamp(6)' },
      ],
    })
    await runner.createTable(users)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('users')
  }
}
