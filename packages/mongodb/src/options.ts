import { type AdapterOptions, InvalidOptionError } from '@vault-lease/core'
import type { MongoClientOptions } from 'mongodb'

/** The options of `VaultMongoClient`: where the lease comes from, and every option of MongoClient but the login. */
export type VaultMongoClientOptions = AdapterOptions & Omit<MongoClientOptions, 'auth'>

/** No option of MongoClient is so near to one of ours that it could be meant. */
export const mongoOptionNames: readonly string[] = []

const login = /^mongodb(\+srv)?:\/\/[^/?]*@/i
const authSource = /[?&]authSource=/i

/**
 * Checks what `takeLease()` cannot know.
 *
 * @throws InvalidOptionError when the address names a user, or the options do.
 */
export function checkMongoOptions(uri: string, options: object): void {
  if (typeof uri !== 'string') {
    throw new InvalidOptionError('Which server? Give its address first, such as "mongodb://host:27017/app".')
  }
  if (login.test(uri)) {
    throw new InvalidOptionError('Leave the user and the password out of the address: they come from Vault.')
  }
  if ('auth' in options) {
    throw new InvalidOptionError('Leave out "auth": the database user and its password come from Vault.')
  }
}

/** Vault's plugin makes its users in `admin` unless told otherwise, where the driver looks in the database of the address. */
export function withAuthSource<Options extends MongoClientOptions>(uri: string, options: Options): Options {
  return options.authSource !== undefined || authSource.test(uri)
    ? options
    : { ...options, authSource: 'admin' }
}

/** Where connections go, for people. */
export function placeOf({ hosts, srvHost, dbName }: PlacedOptions): string {
  const where = srvHost ?? hosts.map(String).join(',')
  return `mongodb://${where}/${dbName}`
}

interface PlacedOptions {
  readonly hosts: readonly unknown[]
  readonly srvHost?: string | undefined
  readonly dbName: string
}
