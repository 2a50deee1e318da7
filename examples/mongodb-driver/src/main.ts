import { closeOnSignal, VaultMongoClient } from '@vault-lease/mongodb'
import { createApp } from './app.ts'
import { UserChanges } from './user-changes.ts'
import { Users } from './users.ts'
import { vault } from './vault.ts'

const {
  MONGODB_URI: uri = 'mongodb://localhost/app',
  HOST: host = '0.0.0.0',
  PORT: port = '3000',
} = process.env
const client = new VaultMongoClient(uri, { vault: vault(), maxPoolSize: 10 })
const app = createApp(new Users(client), new UserChanges(client), client.lease)

closeOnSignal(app, client)
await client.connect()
console.log(`Listening on ${await app.listen({ host, port: Number(port) })}`)
