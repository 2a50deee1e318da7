import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Runs one of the programs beside this file in a process of its own. */
export function runChild(program: string, env: NodeJS.ProcessEnv = {}): ChildProcess {
  const path = fileURLToPath(new URL(program, import.meta.url))
  return spawn(process.execPath, ['--import', 'tsx', '--conditions=@vault-lease/source', path], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
}

/** Waits until it has ended and gives what it printed, parsed as JSON. */
export async function printedBy(child: ChildProcess): Promise<unknown> {
  return JSON.parse(await allOutput(child))
}

async function allOutput({ stdout }: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of stdout ?? []) text += chunk
  return text
}

/** The next line that it prints. */
export async function lineFrom({ stdout }: ChildProcess): Promise<string> {
  let text = ''
  for await (const chunk of stdout ?? []) {
    text += chunk
    if (text.includes('\n')) break
  }
  return text.trim()
}

export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
