import { Migration } from '@mikro-orm/migrations'

export class Migration20260101000000 extends Migration {
  override up(): void {
    this.addSql('create table books (id serial primary key, title text not null)')
  }

  override down(): void {
    this.addSql('drop table books')
  }
}
