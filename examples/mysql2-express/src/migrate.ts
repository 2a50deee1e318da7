import { createPool } from '@vault-lease/mysql2/promise'
import { place } from './place.ts'
import { vault } from './vault.ts'

const pool = createPool({ vault: vault(), ...place() })
try {
  await pool.query(`
    create table if not exists users (
      id int unsigned auto_increment primary key,
      name varchar(200) not null,
      email varchar(200) not null unique,
      created_at timestamp not null default current_timestamp
    )`)
} finally {
  await pool.end()
}
