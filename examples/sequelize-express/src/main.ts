import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { closeOnSignal, createLease, vaultSequelize } from '@vault-lease/sequelize'
import { Sequelize } from 'sequelize'
import { createApp } from './app.ts'
import { options } from './options.ts'
import { defineUser } from './user.ts'
import { vault } from './vault.ts'

// With `vaultSequelize({ vault: vault() })` alone, `sequelize.close()` closes the lease too. Here /health shows the lease, so
// it is made first, and closed last.
const lease = createLease({ vault: vault() })
const sequelize = new Sequelize(vaultSequelize({ ...options, lease }))
defineUser(sequelize)
const server = createServer(createApp(lease))

closeOnSignal(server, sequelize, lease)
await sequelize.authenticate()
const { HOST: host = '0.0.0.0', PORT: port = '3000' } = process.env
await once(server.listen(Number(port), host), 'listening')
console.log(`Listening on http://${host}:${(server.address() as AddressInfo).port}`)
