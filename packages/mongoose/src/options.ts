import { type AdapterOptions, InvalidOptionError } from '@vault-lease/core'
import type { ConnectOptions, Mongoose } from 'mongoose'
import type { ClientOptions } from './client.ts'

/** What Mongoose keeps for itself, where the driver knows nothing of it. */
export interface Settings
  extends Pick<ConnectOptions, 'autoIndex' | 'autoCreate' | 'bufferCommands' | 'sanitizeFilter'> {
  /** How long an operation waits for its connection to be connected for the first time. */
  bufferTimeoutMS?: number
  /** Whether models make their search indexes. */
  autoSearchIndex?: boolean
}

/** Where the lease comes from, and every option of `mongoose.connect()` but the login. */
export type VaultConnectOptions = AdapterOptions &
  Omit<ConnectOptions, 'auth' | 'user' | 'pass' | keyof Settings> &
  Settings & {
    /** Another place for "autoIndex". */
    config?: { autoIndex?: boolean }
  }

/** Divides the options as `mongoose.connect()` does. */
export function divide(
  options: VaultConnectOptions,
  { version }: Mongoose,
): { readonly settings: Settings; readonly ofClient: ClientOptions } {
  if ('pass' in options) {
    throw new InvalidOptionError('Leave out "pass": the database user and its password come from Vault.')
  }
  const {
    config,
    autoIndex = config?.autoIndex,
    autoCreate,
    autoSearchIndex,
    bufferCommands,
    bufferTimeoutMS,
    sanitizeFilter,
    driverInfo = { name: 'Mongoose', version },
    ...rest
  } = options
  const settings = { autoIndex, autoCreate, autoSearchIndex, bufferCommands, bufferTimeoutMS, sanitizeFilter }
  const given = Object.entries(settings).filter(([, value]) => value !== undefined)
  return { settings: Object.fromEntries(given), ofClient: { driverInfo, ...rest } }
}
