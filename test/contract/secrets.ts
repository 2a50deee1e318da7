import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'
import { leakIn, type SecretWatch } from '../secret-watch.ts'
import type { SubjectName } from '../subjects/index.ts'
import type { World } from './world.ts'

export function expectNoSecrets(watch: SecretWatch): void {
  const leak = leakIn(watch)
  if (leak !== undefined) expect.fail(`a secret is shown in: ${leak.slice(0, 2_000)}`)
}

/** mongodb itself keeps what it has derived of the last 200 passwords, by password, salt and iterations (HI in scram.js). */
const keyOfMongodb = /"[^"_]+_[A-Za-z0-9+/]+=*_\d+"/g

/** Where a process that uses the subject with DEBUG and NODE_DEBUG shows or keeps one of its secrets, with what is around it. */
export async function leakOfDebugged(
  name: SubjectName,
  { vault, database, engine }: World,
  role: string,
): Promise<string | undefined> {
  const login = await engine.createAppRole()
  const folder = mkdtempSync(join(tmpdir(), 'vault-lease-debugged-'))
  const snapshot = join(folder, 'memory.heapsnapshot')
  const program = fileURLToPath(new URL('./debugged.ts', import.meta.url))
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=@vault-lease/source', program, name, snapshot],
    {
      stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        ...{ DEBUG: '*', NODE_DEBUG: '*', NO_COLOR: '1' },
        ...{ VAULT_ADDR: vault.address, VAULT_DB_ROLE: role },
        ...{ DB_HOST: database.host, DB_PORT: String(database.port), DB_NAME: database.database },
      },
    },
  )
  try {
    child.stdin?.end(JSON.stringify(login))
    const [printed, issued] = await Promise.all([
      Promise.all([textOf(child.stdio[1]), textOf(child.stdio[2])]),
      textOf(child.stdio[3]),
      once(child, 'close'),
    ])
    const secrets = issued.split('\n').filter((secret) => secret !== '')
    // A login and two credentials, or more where an adapter asks for more.
    expect(secrets.length, printed.join('\n').slice(-2_000)).toBeGreaterThanOrEqual(3)
    const places = {
      printed: printed.join('\n'),
      kept: readFileSync(snapshot, 'utf8').replaceAll(keyOfMongodb, ''),
    }
    for (const [how, where] of Object.entries(places))
      for (const secret of how === 'printed' ? [...secrets, login.secretId] : secrets) {
        const at = where.indexOf(secret)
        if (at >= 0)
          return `a secret is ${how} in: ${where.slice(Math.max(0, at - 1_000), at + 200).replaceAll(secret, '****')}`
      }
    return undefined
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function textOf(stream: Readable | Writable | null | undefined): Promise<string> {
  return stream instanceof Readable ? await text(stream) : ''
}
