import { closeOnSignal, createLease, vaultConnection } from '@vault-lease/knex'
import knex from 'knex'
import { createApp } from './app.ts'
import { vault } from './vault.ts'

// With `vaultConnection({ vault: vault() })` alone, `db.destroy()` closes the lease too. Here /health shows the lease, so it
// is made first, and closed last.
const lease = createLease({ vault: vault() })
const db = knex({ client: 'pg', connection: vaultConnection({ lease }), pool: { min: 0, max: 10 } })
const app = createApp(db, lease)

closeOnSignal(app, db, lease)
await lease.ready()
const { HOST: host = '0.0.0.0', PORT: port = '3000' } = process.env
console.log(`Listening on ${await app.listen({ host, port: Number(port) })}`)
