import { createHmac, randomBytes } from 'node:crypto'

/** Of this process: what the identity of a short password is made of could be guessed otherwise. */
const key = randomBytes(32)

/** Equal, in this process, for what is the same, and telling nothing of it: options hold secrets. */
export function identityOf(...parts: readonly unknown[]): string {
  return createHmac('sha256', key).update(JSON.stringify(parts)).digest('hex')
}
