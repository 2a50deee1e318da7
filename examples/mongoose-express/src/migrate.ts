import { vaultConnect } from '@vault-lease/mongoose'
import mongoose from 'mongoose'
import './user.ts'
import { vault } from './vault.ts'

const { MONGODB_URI: uri = 'mongodb://localhost/app' } = process.env
try {
  await vaultConnect(mongoose, uri, { vault: vault(), autoIndex: false, autoCreate: false })
  await mongoose.syncIndexes()
} finally {
  await mongoose.disconnect()
}
