import { closeOnSignal, createLease, vaultAdapter } from '@vault-lease/prisma'
import { createApp } from './app.ts'
import { PrismaClient } from './generated/prisma/client.ts'
import { vault } from './vault.ts'

// With `vaultAdapter({ provider: 'postgresql', vault: vault() })` alone, `db.$disconnect()` closes the lease too. Here
// /health shows the lease, so it is made first, and closed last. The place comes from PGHOST, PGPORT and PGDATABASE.
const lease = createLease({ vault: vault() })
const db = new PrismaClient({ adapter: vaultAdapter({ provider: 'postgresql', lease, max: 10 }) })
const app = createApp(db, lease)

closeOnSignal(app, db, lease)
await lease.ready()
const { HOST: host = '0.0.0.0', PORT: port = '3000' } = process.env
console.log(`Listening on ${await app.listen({ host, port: Number(port) })}`)
