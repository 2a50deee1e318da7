import { createRequire } from 'node:module'
import { InvalidOptionError } from '@vault-lease/core'

/** Prisma's adapter for a database, and what it is made of. */
export interface PrismaAdapter<Adapter> {
  readonly adapter: Adapter
  /** Loads a package as the adapter would. */
  require(name: string): unknown
}

const require = createRequire(import.meta.url)

/** @throws InvalidOptionError when the package is not installed. */
export function loadPrismaAdapter<Adapter>(name: string): PrismaAdapter<Adapter> {
  const path = resolved(name)
  return { adapter: require(path), require: createRequire(path) }
}

function resolved(name: string): string {
  try {
    return require.resolve(name)
  } catch {
    throw new InvalidOptionError(`Install ${name}, in the version of your @prisma/client.`)
  }
}
