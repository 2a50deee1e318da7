// A process that says all that can be debugged: uses a subject by the AppRole that comes by
// standard input, over a rotation, closes it, and leaves a snapshot of its memory. Its
// secrets go to file descriptor 3, so that it has not kept them itself.
import { readFileSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { writeHeapSnapshot } from 'node:v8'
import { type AuthMethod, appRole, createLease } from '@vault-lease/core'
import { isSubjectName, leasedSubject, type SubjectName } from '../subjects/index.ts'

const [, , name = '', snapshot = ''] = process.argv
if (!isSubjectName(name)) throw new Error('which adapter?')

function tell(secret: string): void {
  writeSync(3, `${secret}\n`)
}

function tellingOf({ name, logIn }: AuthMethod): AuthMethod {
  return {
    name,
    async logIn(context) {
      const login = await logIn(context)
      if (login.kind === 'issued') tell(login.auth.token)
      return login
    },
  }
}

async function use(name: SubjectName): Promise<void> {
  const { DB_HOST = '', DB_PORT = '', DB_NAME = '', VAULT_DB_ROLE } = process.env
  const auth = tellingOf(appRole(JSON.parse(readFileSync(0, 'utf8'))))
  const lease = createLease({ vault: { auth }, role: VAULT_DB_ROLE })
  lease.on('rotated', () => tell(lease.current?.password ?? ''))
  const server = { host: DB_HOST, port: Number(DB_PORT), database: DB_NAME }
  const subject = await leasedSubject(name, { server, max: 2, acquireTimeoutMs: 5_000 }, { lease })
  await subject.query()
  await lease.rotate()
  await subject.query()
  await subject.close()
  await lease.close()
}

await use(name)
// What drivers hold on to for a moment, with their last timers.
await sleep(1_000)
writeHeapSnapshot(snapshot)
