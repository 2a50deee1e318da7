import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { closeOnSignal, createLease, createPool } from '@vault-lease/mysql2/promise'
import { createApp } from './app.ts'
import { place } from './place.ts'
import { Users } from './users.ts'
import { vault } from './vault.ts'

// With `createPool({ vault: vault(), ...place() })` alone, `pool.end()` closes the lease too. Here /health shows the lease,
// so it is made first, and closed last.
const lease = createLease({ vault: vault() })
const pool = createPool({ lease, ...place(), connectionLimit: 10 })
const server = createServer(createApp(new Users(pool), lease))

closeOnSignal(server, pool, lease)
await lease.ready()
const { HOST: host = '0.0.0.0', PORT: port = '3000' } = process.env
await once(server.listen(Number(port), host), 'listening')
console.log(`Listening on http://${host}:${(server.address() as AddressInfo).port}`)
