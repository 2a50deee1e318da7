import type { Callback } from './driver.ts'

/** Tells a callback, if there is one, of what becomes of a promise. */
export function calledBack(promise: Promise<unknown>, callback: Callback | undefined): Promise<unknown> {
  if (callback) promise.then((reply) => callback(null, reply), callback)
  return promise
}
