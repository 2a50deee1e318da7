// A process with a pool that stands still for a while: it asks who it is whenever it is told to.
import { createInterface } from 'node:readline'
import { VaultPool } from '@vault-lease/pg'

const { VAULT_LEASE_DATABASE_URL: connectionString = '' } = process.env
const { hostname: host, port, pathname } = new URL(connectionString)
const pool = new VaultPool({
  role: 'app-frozen',
  host,
  port: Number(port),
  database: pathname.slice(1),
  max: 1,
})
for await (const _line of createInterface(process.stdin)) {
  const said = await pool.query<{ who: string }>('select current_user as who').then(
    ({ rows }) => `I am ${rows[0]?.who}`,
    (error: unknown) => `failed: ${String(error)}`,
  )
  process.stdout.write(`${said}\n`)
}
await pool.end()
