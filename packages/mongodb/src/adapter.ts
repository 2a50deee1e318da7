// For the packages that rotate a client of another copy of the driver.
export { type VaultMongoClient, type VaultMongoClientClass, vaultMongoClientClass } from './client-class.ts'
export type { MongoDriver } from './driver.ts'
export { checkMongoOptions, type VaultMongoClientOptions } from './options.ts'
