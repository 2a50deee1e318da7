import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { closeOnSignal, createLease, vaultConnect } from '@vault-lease/mongoose'
import mongoose from 'mongoose'
import { createApp } from './app.ts'
import { UserChanges } from './user-changes.ts'
import { vault } from './vault.ts'

const {
  MONGODB_URI: uri = 'mongodb://localhost/app',
  HOST: host = '0.0.0.0',
  PORT: port = '3000',
} = process.env
// With `vaultConnect(mongoose, uri, { vault: vault() })` alone, `mongoose.disconnect()` closes the lease too. Here /health
// shows the lease, so it is made first, and closed last.
const lease = createLease({ vault: vault() })
const changes = new UserChanges()
const server = createServer(createApp(changes, lease))

// Those who listen to changes would never let the server close.
closeOnSignal(
  () => changes.close(),
  server,
  () => mongoose.disconnect(),
  lease,
)
// The user may neither make collections nor indexes: src/migrate.ts does.
await vaultConnect(mongoose, uri, { lease, maxPoolSize: 10, autoIndex: false, autoCreate: false })
await once(server.listen(Number(port), host), 'listening')
console.log(`Listening on http://${host}:${(server.address() as AddressInfo).port}`)
