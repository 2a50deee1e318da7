import type { Place } from '../database-server.ts'
import { randomPassword } from '../random-password.ts'
import { connectionTo } from './session.ts'

export const ownPassword: string = randomPassword()

export const database = 'app'

/** Where a server of our own is, and as whom it is reached. */
export function ownPlace(port: number, password: string): Place {
  return { host: '127.0.0.1', port, database, superuser: { user: 'vault_lease_admin', password } }
}

/** What there is before our superuser is made, while nobody has to log in. */
export function asNobody(port: number): Place {
  return { host: '127.0.0.1', port, database, superuser: { user: '', password: '' } }
}

export async function createSuperuser({ port, superuser: { user, password } }: Place): Promise<void> {
  const command = { createUser: user, pwd: password, roles: ['root'], $db: 'admin' }
  await connectionTo(asNobody(port)).query(JSON.stringify(command))
}

/** What a server says of itself. */
export interface Hello {
  readonly isWritablePrimary: boolean
  /** Of a member that has not been told its replica set. */
  readonly isreplicaset?: boolean
}

export async function hello(port: number): Promise<Hello> {
  const [reply] = await connectionTo(asNobody(port)).query<Hello>('{"hello":1}')
  if (!reply) throw new Error('no answer')
  return reply
}
