import { VaultLeaseError } from '@vault-lease/core'
import type { QueryClass } from './connection-manager.ts'

/** The class of Sequelize's queries, but errors of this library are thrown as they are: Sequelize's own have no `code`. */
export function tellingOfLease(Query: QueryClass): QueryClass {
  return class extends Query {
    override formatError(error: unknown, stack?: string): unknown {
      return error instanceof VaultLeaseError ? error : super.formatError(error, stack)
    }
  }
}
