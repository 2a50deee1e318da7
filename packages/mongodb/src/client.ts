import { MongoClient } from 'mongodb'
import {
  type VaultMongoClient as LeasedClient,
  type VaultMongoClientClass,
  vaultMongoClientClass,
} from './client-class.ts'

/** A client that `VaultMongoClient` makes. */
export type VaultMongoClient = LeasedClient

/**
 * A MongoClient whose connections belong to a database user that Vault creates and replaces. Everything else is MongoClient.
 *
 * `close()` lets operations, cursors and transactions that are under way finish, closes change streams, revokes the
 * lease, and gives back the token if the library logged in for it.
 *
 * @example
 * const client = new VaultMongoClient('mongodb://db.internal/app', { role: 'readonly' })
 * await client.db().collection('users').findOne({ email })
 * await client.close()
 *
 * @throws InvalidOptionError for a misspelt option, a missing role, or a user or password beside them.
 */
export const VaultMongoClient: VaultMongoClientClass = vaultMongoClientClass({ MongoClient })
