import { type ChildProcess, spawn } from 'node:child_process'
import { sleep, systemClock } from '@vault-lease/core/adapter'
import { exitCodes } from '../exit-codes.ts'
import { exitCodeAfter } from '../signals.ts'

/** How long a program has to end after SIGTERM, in milliseconds, before it is killed. */
export const defaultGraceMs = 10_000

/** One run of a program, with our own standard input, output and error. */
export class RunningProgram {
  readonly #child: ChildProcess | undefined
  /** The exit code, as a shell tells it: 128 and the number of the signal that ended it, 127 when there is no such program. */
  readonly exited: Promise<number>

  /** @param onFailure hears why it could not be run. */
  constructor(
    [program, ...args]: readonly [string, ...string[]],
    env: NodeJS.ProcessEnv,
    onFailure: (error: NodeJS.ErrnoException) => void,
  ) {
    let resolve = (_code: number): void => {}
    this.exited = new Promise((settle) => {
      resolve = settle
    })
    const fail = (error: NodeJS.ErrnoException): void => {
      onFailure(error)
      resolve(error.code === 'ENOENT' ? exitCodes.notFound : exitCodes.cannotExecute)
    }
    try {
      const child = spawn(program, args, { env, stdio: 'inherit' })
      this.#child = child
      child.once('exit', (code, signal) => resolve(code ?? exitCodeAfter(signal ?? 'SIGKILL')))
      child.once('error', (error) => {
        if (child.pid === undefined) fail(error)
      })
    } catch (error) {
      // Some is told at once: no name, arguments that are too long.
      fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Resolves when it has ended; tells whether it had to be killed. */
  async stop(graceMs: number): Promise<{ readonly killed: boolean }> {
    this.signal('SIGTERM')
    const over = new AbortController()
    const late = sleep(systemClock, graceMs, over.signal).then(
      () => true,
      () => false,
    )
    const killed = await Promise.race([this.exited.then(() => false), late])
    over.abort()
    if (killed) this.signal('SIGKILL')
    await this.exited
    return { killed }
  }
}
