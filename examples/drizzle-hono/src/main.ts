import { serve } from '@hono/node-server'
import { closeOnSignal, VaultPool } from '@vault-lease/pg'
import { drizzle } from 'drizzle-orm/node-postgres'
import { createApp } from './app.ts'
import { vault } from './vault.ts'

const pool = new VaultPool({ vault: vault(), max: 10 })
const app = createApp(drizzle({ client: pool }), pool.lease)

await pool.lease.ready()
const { HOST: hostname = '0.0.0.0', PORT: port = '3000' } = process.env
const server = serve({ fetch: app.fetch, hostname, port: Number(port) }, (info) => {
  console.log(`Listening on http://${info.address}:${info.port}`)
})
closeOnSignal(() => new Promise((resolve) => server.close(resolve)), pool)
