import { Migration } from '@mikro-orm/migrations'

export class Migration20260101000000 extends Migration {
  override up(): void {
    this.addSql(`
      create table users (
        id serial primary key,
        name text not null,
        email text not null unique,
        created_at timestamptz not null default current_timestamp
      )`)
  }

  override down(): void {
    this.addSql('drop table users')
  }
}
