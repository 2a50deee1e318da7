import { VaultMongoClient } from '@vault-lease/mongodb'
import { vault } from './vault.ts'

const text = { bsonType: 'string', minLength: 1, maxLength: 200 }
const validator = {
  $jsonSchema: {
    required: ['name', 'email', 'created_at'],
    properties: { name: text, email: text, created_at: { bsonType: 'date' } },
  },
}

const { MONGODB_URI: uri = 'mongodb://localhost/app' } = process.env
await using client = new VaultMongoClient(uri, { vault: vault() })
const db = client.db()
const [existing] = await db.listCollections({ name: 'users' }).toArray()
if (existing) await db.command({ collMod: 'users', validator })
else await db.createCollection('users', { validator })
await db.collection('users').createIndex({ email: 1 }, { unique: true })
