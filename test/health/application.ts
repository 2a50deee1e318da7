// An application with probes on a port of their own, that is ended while a query runs. Prints where its probes are.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { closeOnSignal, healthHandler, VaultPool } from '@vault-lease/pg'

const pool = new VaultPool({ max: 2 })
const probes = createServer(healthHandler(pool)).listen(0, '127.0.0.1')
closeOnSignal(pool)
await Promise.all([pool.query('select 1'), once(probes, 'listening')])
console.log(`http://127.0.0.1:${(probes.address() as AddressInfo).port}`)
const { rows } = await pool.query('select pg_sleep(2), true as answered')
console.log(rows[0]?.answered)
