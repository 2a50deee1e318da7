import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('..', import.meta.url))

/** A script of the example in a process of its own, as `npm start` and `npm run migrate` run it. */
export function runScript(script: 'main' | 'migrate', env: Record<string, string>): ChildProcess {
  return spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=@vault-lease/source', `src/${script}.ts`],
    {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'], ...env },
    },
  )
}

/** The service's address, as it prints it. */
export async function addressOf(service: ChildProcess): Promise<string> {
  if (!service.stdout) throw new Error('the service has no output')
  for await (const line of createInterface({ input: service.stdout })) {
    const [, address] = /^Listening on (\S+)$/.exec(line) ?? []
    if (address) return address
  }
  throw new Error('the service ended without listening')
}

export async function exitCodeOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
  const [code] = await once(child, 'exit')
  return code
}

export interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

export async function call(address: string, method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(`${address}${path}`, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
}
