import { createHash } from 'node:crypto'

/** Equal for what is the same, and telling nothing of it: options hold secrets. */
export function identityOf(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
