import type { MigrationInterface, QueryRunner } from 'typeorm'

export class Books20260101000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create table books (title text)')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table books')
  }
}
