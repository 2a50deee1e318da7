import { types } from 'node:util'

/** Known by every copy of this library, as ESM and as CommonJS. The prototype of each class of errors has its name there. */
const brand = Symbol.for('vault-lease.error')

type ErrorClass = abstract new (...parameters: never) => Error

/**
 * Has `instanceof` hold for the errors of the same class in every copy of the library. A class that somebody derives from it is
 * itself only.
 *
 * @param name the name for all copies: a minifier may change the one that the class has by itself.
 */
export function brandErrorClass(errorClass: ErrorClass, name: string): void {
  Object.defineProperty(errorClass.prototype, brand, { value: name })
  Object.defineProperty(errorClass, Symbol.hasInstance, {
    value(this: ErrorClass, error: unknown): boolean {
      if (Function.prototype[Symbol.hasInstance].call(this, error)) return true
      return this === errorClass && types.isNativeError(error) && brandsOf(error).includes(name)
    },
  })
}

/** The brands of its class and of those above it. */
function brandsOf(error: object): unknown[] {
  const prototype: object | null = Object.getPrototypeOf(error)
  if (!prototype) return []
  return [Object.getOwnPropertyDescriptor(prototype, brand)?.value, ...brandsOf(prototype)]
}
