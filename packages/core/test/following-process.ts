// A process of its own that follows a lease, and says each user that it is given.
import { setTimeout as sleep } from 'node:timers/promises'
import { createLease } from '../src/lease/create-lease.ts'
import { none } from '../src/vault/auth/none.ts'

const [, , address, role] = process.argv
const say = (what: string): void => void process.stdout.write(`${what}\n`)
const lease = createLease({ vault: { address, auth: none() }, role })
lease.on('failed', ({ error }) => say(`failed ${error.message}`))
process.once('SIGTERM', () => void lease.close().then(() => process.exit()))
let last = ''
for (;;) {
  const { username } = await lease.credential()
  if (username !== last) say(`user ${username}`)
  last = username
  await sleep(20)
}
