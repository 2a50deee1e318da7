import type { SqlDriverAdapter, Transaction } from '@prisma/driver-adapter-utils'
import { VaultLeaseError } from '@vault-lease/core'

/**
 * The error of this library under what a query or a transaction threw. Prisma puts it into an error of its own, of which
 * `code` and `message` are those of ours.
 *
 * @example
 * catch (error) {
 *   if (vaultLeaseErrorOf(error)?.retryable) return reply.code(503).send()
 *   throw error
 * }
 */
export function vaultLeaseErrorOf(error: unknown): VaultLeaseError | undefined {
  const cause = isObject(error) && isObject(error['meta']) ? error['meta']['cause'] : undefined
  return [error, cause].find((each) => each instanceof VaultLeaseError)
}

/** An adapter that does what the given one does; the errors of this library that it throws are found by `vaultLeaseErrorOf()`. */
export function withLeaseErrors(adapter: SqlDriverAdapter): SqlDriverAdapter {
  return intercepted(adapter, (result) => (isTransaction(result) ? intercepted(result) : result))
}

function intercepted<Target extends object>(
  target: Target,
  convert: (result: unknown) => unknown = (result) => result,
): Target {
  return new Proxy(target, {
    get(_target, key) {
      const member: unknown = Reflect.get(target, key)
      if (typeof member !== 'function') return member
      return (...args: readonly unknown[]) => {
        const result: unknown = Reflect.apply(member, target, args)
        return result instanceof Promise ? result.then(convert, rethrow) : result
      }
    },
  })
}

/** Of an error that has a `code`, Prisma keeps that, the message and `meta`. */
function rethrow(error: unknown): never {
  if (error instanceof VaultLeaseError)
    Object.defineProperty(error, 'meta', { value: { cause: error }, configurable: true })
  throw error
}

function isTransaction(result: unknown): result is Transaction {
  return isObject(result) && 'commit' in result
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
