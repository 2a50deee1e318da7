import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { closeOnSignal, healthHandler, VaultPool } from '@vault-lease/pg'
import { credential } from './credential.ts'

const { HOST: host = '0.0.0.0', PORT: port = '3000', PROBES_PORT: probesPort = '9000' } = process.env

const pool = new VaultPool({ ...credential(), max: 10 })
pool.lease.on('failed', ({ step, error }) => console.error(`${step}: ${error.message}`))
pool.on('error', ({ message }) => console.error(message))

const server = createServer(async (_request, response) => {
  try {
    const { rows } = await pool.query('select current_user as "user", count(*)::int as items from items')
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(rows[0]))
  } catch (error) {
    console.error(error)
    response.writeHead(503).end()
  }
})
// On a port of their own, and not closed: they answer to the end.
const probes = createServer(healthHandler(pool))

closeOnSignal(server, pool)
// Requests come when there is a credential: readiness waits for it. What fails is told above, and tried again.
pool.lease.ready().catch(() => {})
console.log(`Probes on ${await listen(probes, probesPort)}`)
console.log(`Listening on ${await listen(server, port)}`)

async function listen(server: Server, port: string): Promise<string> {
  await once(server.listen(Number(port), host), 'listening')
  return `http://${host}:${(server.address() as AddressInfo).port}`
}
