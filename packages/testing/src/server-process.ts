import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchdog } from './watchdog.ts'

/** How one server process is run. */
export interface ServerCommand {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** Beside the PATH: what else the caller's environment has, tokens among it, is not for whoever may run programs there. */
  readonly env?: NodeJS.ProcessEnv | undefined
  readonly uid?: number | undefined
  readonly folder: string
  /** Resolves once the server answers; asked again and again until it does not reject. */
  ready(): Promise<unknown>
}

const startWithinMs = 60_000

/** A server that was started by us, ends with us, and shows its own log when it does not start. */
export class ServerProcess {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#exited = once(child, 'exit')
  }

  static async start(server: ServerCommand): Promise<ServerProcess> {
    const logFile = join(server.folder, `${server.name}.log`)
    const log = openSync(logFile, 'a')
    const child = spawn(server.command, server.args, {
      stdio: ['ignore', log, log],
      detached: true,
      cwd: server.folder,
      env: { ...environmentIn(server.folder), ...server.env },
      ...(server.uid !== undefined && { uid: server.uid, gid: server.uid }),
    })
    closeSync(log)
    const running = new ServerProcess(child)
    await once(child, 'spawn')
    child.unref()
    watchdog.watch({ pid: running.pid })
    try {
      await running.#untilReady(server)
      return running
    } catch (cause) {
      await running.stop('SIGKILL')
      const tail = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-20).join('\n')
      throw new Error(`${server.name} did not start. Its log ends so:\n${tail}`, { cause })
    }
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the server has no process')
    return this.#child.pid
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) process.kill(this.pid, signal)
  }

  /** Ends the process and waits until it has. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    if (this.running) {
      this.#child.ref()
      this.signal(signal)
      await this.#exited
      // Who is killed leaves behind what it has started, as Vault its plugins.
      signalIfThere(-this.pid, 'SIGKILL')
    }
    watchdog.forget({ pid: this.pid })
  }

  async #untilReady(server: ServerCommand): Promise<void> {
    const end = Date.now() + startWithinMs
    for (;;) {
      if (!this.running) throw new Error(`${server.name} has ended`)
      try {
        await server.ready()
        return
      } catch (cause) {
        if (Date.now() > end) throw new Error(`${server.name} does not answer`, { cause })
        await sleep(20)
      }
    }
  }
}

/** What a program finds that has its home, and what it leaves behind, in a folder of ours. */
export function environmentIn(folder: string): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder }
}

/** Signals a process, or the group of a negative number. It may have ended at any moment. */
export function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/** A temporary folder that is removed with us. */
export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'vault-lease-'))
  watchdog.watch({ folder: path })
  return {
    path,
    remove() {
      rmSync(path, { recursive: true, force: true, maxRetries: 5 })
      watchdog.forget({ folder: path })
    },
  }
}

/** Starts with a free port, and with another one when somebody else was quicker. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let tries = 5; ; tries--) {
    try {
      return await start(await freePort())
    } catch (error) {
      if (tries === 1 || !/address already in use/i.test(String(error))) throw error
    }
  }
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port to be had')
  return address.port
}
