import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { closeOnSignal, createLease, vaultDataSource } from '@vault-lease/typeorm'
import { DataSource } from 'typeorm'
import { createApp } from './app.ts'
import { options } from './options.ts'
import { vault } from './vault.ts'

// With `vaultDataSource({ vault: vault() })` alone, `dataSource.destroy()` closes the lease too. Here /health shows the
// lease, so it is made first, and closed last.
const lease = createLease({ vault: vault() })
const dataSource = new DataSource(vaultDataSource({ ...options, lease }))
const server = createServer(createApp(dataSource, lease))

closeOnSignal(server, dataSource, lease)
await dataSource.initialize()
const { HOST: host = '0.0.0.0', PORT: port = '3000' } = process.env
await once(server.listen(Number(port), host), 'listening')
console.log(`Listening on http://${host}:${(server.address() as AddressInfo).port}`)
