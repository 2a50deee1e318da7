import { randomBytes } from 'node:crypto'

/** For a superuser on loopback, where every user of the machine can knock. */
export function randomPassword(): string {
  return randomBytes(24).toString('base64url')
}
