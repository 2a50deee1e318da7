import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { exitCodes } from '../exit-codes.ts'

/** How long a program has to end after SIGTERM, in milliseconds, before it is killed. */
export const defaultGraceMs = 10_000

/** One run of a program, with our own standard input, output and error. */
export class RunningProgram {
  readonly #child: ChildProcess
  /** The exit code, as a shell tells it: 128 and the number of the signal that ended it, 127 when there is no such program. */
  readonly exited: Promise<number>

  constructor(command: readonly [string, ...string[]], env: NodeJS.ProcessEnv) {
    const [program, ...args] = command
    this.#child = spawn(program, args, { env, stdio: 'inherit' })
    this.exited = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) =>
        resolve(code ?? 128 + constants.signals[signal ?? 'SIGKILL']),
      )
      this.#child.once('error', (error) => {
        if (this.#child.pid === undefined) resolve(codeOfFailure(error))
      })
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Resolves when it has ended; tells whether it had to be killed. */
  async stop(graceMs: number): Promise<{ readonly killed: boolean }> {
    this.signal('SIGTERM')
    const over = new AbortController()
    const late = sleep(graceMs, true, { signal: over.signal }).catch(() => false)
    const killed = await Promise.race([this.exited.then(() => false), late])
    over.abort()
    if (killed) this.signal('SIGKILL')
    await this.exited
    return { killed }
  }
}

function codeOfFailure(error: NodeJS.ErrnoException): number {
  return error.code === 'ENOENT' ? exitCodes.notFound : exitCodes.cannotExecute
}
