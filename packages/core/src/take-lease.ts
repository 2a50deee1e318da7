import { InvalidOptionError } from './errors.ts'
import { createLease } from './lease/create-lease.ts'
import { checkLeaseOptions, type LeaseOptions } from './lease/lease-options.ts'
import { checkLeaseManager, type LeaseManager } from './lease/manager.ts'
import { nearestName } from './options/check-options.ts'

/** The options that every adapter takes beside its driver's own: where the lease comes from, or a ready one. */
export type AdapterOptions = LeaseOptions & {
  /** A lease manager that the caller made and closes. Excludes the other options of a lease. */
  readonly lease?: LeaseManager | undefined
}

/** An adapter's options, checked and taken apart. */
export interface TakenLease<Driver> {
  /** Gives the caller's lease, or makes one that the adapter owns and therefore closes. */
  open(): { readonly lease: LeaseManager; readonly owned: boolean }
  /** Every other option, for the driver. */
  readonly driver: Driver
}

const leaseKeys = [
  'role',
  'staticRole',
  'mount',
  'vault',
  'credentialFile',
  'credential',
  'rotation',
  'shared',
] as const
const ourKeys = [...leaseKeys, 'lease'] as const

/**
 * Divides an adapter's options into a lease and what goes to the driver as it is.
 *
 * @throws InvalidOptionError when a key is neither the driver's nor ours but close to one of ours, when both a lease and
 * the options of one are given, and when a user or password is given although Vault supplies both.
 */
export function takeLease<Options extends AdapterOptions>(
  options: Options,
  driverKeys: readonly string[],
): TakenLease<Omit<Options, keyof AdapterOptions>> {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidOptionError('The options have to be an object.')
  }
  for (const key of Object.keys(options)) checkKey(key, driverKeys)
  const { role, staticRole, mount, vault, credentialFile, credential, rotation, shared, lease, ...driver } =
    options
  // Which of them are there is checked where it is said what is wrong.
  const own = { role, staticRole, mount, vault, credentialFile, credential, rotation, shared } as LeaseOptions
  if (lease === undefined) {
    checkLeaseOptions(own, process.env)
    return { open: () => ({ lease: createLease(own), owned: true }), driver }
  }
  checkLeaseManager(lease)
  const both = leaseKeys.find((key) => own[key] !== undefined)
  if (both) throw new InvalidOptionError(`Give either "lease" or "${both}": the lease has its own.`)
  return { open: () => ({ lease, owned: false }), driver }
}

function checkKey(key: string, driverKeys: readonly string[]): void {
  if (key === 'user' || key === 'username' || key === 'password') {
    throw new InvalidOptionError(`Leave out "${key}": the database user and its password come from Vault.`)
  }
  if (driverKeys.includes(key) || ourKeys.some((own) => own === key)) return
  const meant = nearestName(key, ourKeys)
  if (meant) throw new InvalidOptionError(`"${key}" is not an option, did you mean "${meant}"?`)
}
