import type { AdapterOptions, LeaseManager } from '@vault-lease/core'
import { type MongoDriver, vaultMongoClientClass } from '@vault-lease/mongodb/adapter'
import type { Mongoose, mongo } from 'mongoose'

/** The options of a client: where the lease comes from, and what the driver knows. */
export type ClientOptions = AdapterOptions & Omit<mongo.MongoClientOptions, 'auth'>

/** A client of the copy of the driver that Mongoose brings, with a user from Vault. */
export type Client = mongo.MongoClient & { readonly lease: LeaseManager }

/** @throws InvalidOptionError, or the driver's own error, for an option that is wrong. */
export function newClient({ mongo }: Mongoose, uri: string, options: ClientOptions): Client {
  const driver: unknown = mongo
  // The types of two copies of the driver have nothing to do with each other.
  const VaultMongoClient: unknown = vaultMongoClientClass(driver as MongoDriver)
  return new (VaultMongoClient as new (uri: string, options: ClientOptions) => Client)(uri, options)
}
