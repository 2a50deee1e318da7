import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Servers } from '@vault-lease/testing'

const main = fileURLToPath(new URL('../dist/main.js', import.meta.url))

/** The built command while it runs, and what it has written so far. */
export interface Running {
  readonly child: ChildProcess
  readonly stdout: string
  readonly stderr: string
  /** Resolves once something matches in what it has written to either. */
  until(pattern: RegExp): Promise<RegExpExecArray>
  /** Its exit code; the name of the signal that killed it. */
  readonly ended: Promise<number | NodeJS.Signals>
}

export interface Ended {
  readonly code: number | NodeJS.Signals
  readonly stdout: string
  readonly stderr: string
}

/** Starts the built command. Of our environment it gets only what every program needs. */
export function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  return startProgram(process.execPath, [main, ...args], env)
}

/** On a terminal of its own, which writes everything to stdout. Arguments have no blanks. */
export function startOnTerminal(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
  return startProgram('script', ['-qec', [process.execPath, main, ...args].join(' '), '/dev/null'], env)
}

/** Starts any program, likewise. */
export function startProgram(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Running {
  const { PATH, HOME } = process.env
  const child = spawn(program, args, { env: { PATH, HOME, ...env } })
  const written = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text
    })
  }
  const ended = once(child, 'close').then(([code, signal]) => code ?? signal)
  return {
    child,
    get stdout() {
      return written.stdout
    },
    get stderr() {
      return written.stderr
    },
    async until(pattern) {
      for (;;) {
        const found = pattern.exec(`${written.stdout}\n${written.stderr}`)
        if (found) return found
        const waiting = new AbortController()
        const more = [child.stdout, child.stderr].map((out) => once(out, 'data', { signal: waiting.signal }))
        const goesOn = await Promise.race([...more, ended])
        waiting.abort()
        if (!Array.isArray(goesOn) && !pattern.test(`${written.stdout}\n${written.stderr}`))
          throw new Error(
            `ended with ${goesOn} before it wrote ${pattern}: ${written.stdout}${written.stderr}`,
          )
      }
    },
    ended,
  }
}

/** Runs it to its end. */
export async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const running = start(args, env)
  running.child.stdin?.end()
  const code = await running.ended
  return { code, stdout: running.stdout, stderr: running.stderr }
}

/** The variables with which an application comes to the servers. */
export async function accessTo({ vault, engine, database }: Servers): Promise<Record<string, string>> {
  const protocol = database.kind
  return {
    VAULT_ADDR: vault.address,
    VAULT_TOKEN: await engine.createToken(),
    VAULT_LEASE_DATABASE_URL: `${protocol}://${database.host}:${database.port}/${database.database}`,
  }
}
