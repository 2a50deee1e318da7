// A process that is killed while an old generation drains: prints the old user and waits for its end.
import { createLease } from '@vault-lease/core'
import { isSubjectName, leasedSubject } from '../subjects/index.ts'

const [, , name = ''] = process.argv
if (!isSubjectName(name)) throw new Error('which adapter?')
const { DB_HOST = '', DB_PORT = '', DB_NAME = '', VAULT_DB_ROLE } = process.env
const lease = createLease({ role: VAULT_DB_ROLE, rotation: { drainTimeoutMs: 2_000 } })
const place = {
  server: { host: DB_HOST, port: Number(DB_PORT), database: DB_NAME },
  max: 5,
  acquireTimeoutMs: 5_000,
}
const subject = await leasedSubject(name, place, { lease })
const held = await subject.openTransaction()
await held.step()
const oldUser = lease.current?.username
await lease.rotate()
process.stdout.write(`${oldUser}\n`)
setInterval(() => {}, 1_000)
