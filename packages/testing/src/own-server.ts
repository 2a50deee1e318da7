import { chownSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Connection, DatabaseServer } from './database-server.ts'
import type { KeptData } from './kept-data.ts'
import { environmentIn, onFreePort, type ServerProcess, temporaryFolder } from './server-process.ts'

/** Database servers do not like to run as root: any other user will do. */
const nobody = 65_534

/** Where a server of our own keeps its data, and as whom it runs. */
export interface Home {
  /** Ends with it: for its logs and sockets. */
  readonly folder: string
  readonly data: string
  /** Whether the data outlive it. */
  readonly kept: boolean
  /** Given when we are root. */
  readonly uid: number | undefined
}

/** What differs between servers. */
export interface OwnServer {
  /** Fills the data folder, which is empty. */
  initialise(home: Home): Promise<void>
  start(home: Home, port: number): Promise<ServerProcess>
  /** Makes our database and superuser, once. */
  setUp(port: number): Promise<void>
  /** How to reach them. */
  connection(port: number): Connection
  pause(running: ServerProcess): void
  resume(running: ServerProcess): void
  /** What ends it in the way of a crash, and in good order. */
  readonly signals: { readonly immediate: NodeJS.Signals; readonly fast: NodeJS.Signals }
}

/** Starts a server that ends with us, on a free port of 127.0.0.1 with its data in a temporary folder, or with what was kept. */
export async function startOwn(server: OwnServer, kept?: KeptData): Promise<DatabaseServer> {
  const folder = temporaryFolder()
  const uid = process.getuid?.() === 0 ? nobody : undefined
  if (uid !== undefined) chownSync(folder.path, uid, uid)
  const data = kept?.data ?? join(folder.path, 'data')
  const home = { folder: folder.path, data, kept: kept !== undefined, uid }
  const startAt = async (port: number) => [await server.start(home, port), port] as const
  let [running, port] = await (kept?.port === undefined ? begin() : startAt(kept.port))
  const connection = server.connection(port)
  const end = async (mode: keyof OwnServer['signals']): Promise<void> => {
    // A server that is paused would not notice.
    if (running.running) server.resume(running)
    await running.stop(server.signals[mode])
  }
  const stop = async (): Promise<void> => {
    await end(kept ? 'fast' : 'immediate')
    folder.remove()
  }
  async function begin(): Promise<readonly [ServerProcess, number]> {
    mkdirSync(data, { mode: 0o700 })
    if (uid !== undefined) for (const path of [dirname(data), data]) chownSync(path, uid, uid)
    await server.initialise(home)
    const begun = await onFreePort(startAt)
    await server.setUp(begun[1])
    kept?.complete(begun[1])
    return begun
  }
  return {
    ...connection,
    async restart(mode = 'immediate') {
      await end(mode)
      running = await server.start(home, port)
    },
    kill: () => end('immediate'),
    async start() {
      if (!running.running) running = await server.start(home, port)
    },
    pause: () => server.pause(running),
    resume: () => server.resume(running),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Options of a program that is run as the server's user. */
export function runAs({ folder, uid }: Home): {
  cwd: string
  env: NodeJS.ProcessEnv
  uid?: number
  gid?: number
} {
  return { cwd: folder, env: environmentIn(folder), ...(uid !== undefined && { uid, gid: uid }) }
}
