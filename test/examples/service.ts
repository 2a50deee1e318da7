import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'

/** A script of an example's package.json, on our sources, by a shell as `npm run` does it: a signal to that shell has to reach the service. */
export function runScript(
  folder: string,
  script: string,
  env: Readonly<Record<string, string>>,
): ChildProcess {
  const { scripts } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const path = [dirname(process.execPath), join(folder, 'node_modules', '.bin'), process.env['PATH']]
  return spawn('sh', ['-c', scripts[script]], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: path.join(delimiter), NODE_OPTIONS: '--conditions=@vault-lease/source', ...env },
  })
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

/** As a shell tells it: 128 and the number of the signal, where one has ended it. */
export async function exitCodeOf(child: ChildProcess): Promise<number> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  const { exitCode, signalCode } = child
  return exitCode ?? 128 + (signalCode ? constants.signals[signalCode] : 0)
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
