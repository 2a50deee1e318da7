import { closeOnSignal, VaultPool } from '@vault-lease/pg'
import { Kysely, PostgresDialect } from 'kysely'
import { createApp } from './app.ts'
import type { Database } from './database.ts'
import { vault } from './vault.ts'

const pool = new VaultPool({ vault: vault(), max: 10 })
const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
const app = createApp(db, pool)

closeOnSignal(app, db)
await pool.lease.ready()
const { HOST: host = '0.0.0.0', PORT: port = '3000' } = process.env
console.log(`Listening on ${await app.listen({ host, port: Number(port) })}`)
