import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { collectVaultLease } from '@vault-lease/metrics/prometheus'
import { closeOnSignal, createLease, VaultPool } from '@vault-lease/pg'
import { register } from 'prom-client'

collectVaultLease()

const { HOST: host = '0.0.0.0', PORT: port = '3000', PGDATABASE_REPORTS: reportsOf } = process.env
const lease = createLease({ rotation: { drainTimeoutMs: 5_000 } })
const pool = new VaultPool({ lease, max: 10 })
const reports = reportsOf ? new VaultPool({ lease, database: reportsOf, max: 2 }) : undefined

const routes: Readonly<Record<string, (url: URL) => Promise<unknown>>> = {
  'GET /users': async () => (await pool.query('select id, name from users order by id limit 100')).rows,
  'GET /reports': async () => (await (reports ?? pool).query('select count(*) from users')).rows,
  // Takes longer than an old user has to drain: what the alert on stragglers is for.
  'GET /slow': async ({ searchParams }) =>
    (await pool.query('select pg_sleep($1)', [searchParams.get('seconds')])).rows,
  // By hand, as after a leak.
  'POST /rotate': async () => await lease.rotate(),
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://localhost')
  if (url.pathname === '/metrics') {
    response.setHeader('content-type', register.contentType).end(await register.metrics())
    return
  }
  const route = routes[`${request.method} ${url.pathname}`]
  response.statusCode = route ? 200 : 404
  response.setHeader('content-type', 'application/json').end(JSON.stringify((await route?.(url)) ?? null))
}

const server = createServer((request, response) => {
  answer(request, response).catch((error: unknown) => {
    console.error(error)
    response.writeHead(500).end()
  })
})

closeOnSignal(() => server.close(), ...(reports ? [reports] : []), pool, lease)
await lease.ready()
server.listen(Number(port), host, () => {
  const { address, port } = server.address() as AddressInfo
  console.log(`Listening on http://${address}:${port}`)
})
