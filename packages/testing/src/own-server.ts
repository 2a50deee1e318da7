import { chownSync } from 'node:fs'
import type { Connection, DatabaseServer } from './database-server.ts'
import { environmentIn, onFreePort, type ServerProcess, temporaryFolder } from './server-process.ts'

/** Database servers do not like to run as root: any other user will do. */
const nobody = 65_534

/** Where a server of our own keeps its data, and as whom it runs. */
export interface Home {
  readonly folder: string
  /** Given when we are root. */
  readonly uid: number | undefined
}

/** What differs between servers. */
export interface OwnServer {
  /** Makes the data folder. */
  initialise(home: Home): Promise<void>
  start(home: Home, port: number): Promise<ServerProcess>
  /** Makes our database and superuser, once, and tells how to reach them. */
  setUp(port: number): Promise<Connection>
  pause(running: ServerProcess): void
  resume(running: ServerProcess): void
  /** What ends it in the way of a crash, and in good order. */
  readonly signals: { readonly immediate: NodeJS.Signals; readonly fast: NodeJS.Signals }
}

/** Starts a server that ends with us, on a free port of 127.0.0.1, with its data in a temporary folder. */
export async function startOwn(server: OwnServer): Promise<DatabaseServer> {
  const folder = temporaryFolder()
  const uid = process.getuid?.() === 0 ? nobody : undefined
  if (uid !== undefined) chownSync(folder.path, uid, uid)
  const home = { folder: folder.path, uid }
  await server.initialise(home)
  let [running, port] = await onFreePort(async (port) => [await server.start(home, port), port] as const)
  const connection = await server.setUp(port)
  const end = async (mode: keyof OwnServer['signals']): Promise<void> => {
    // A server that is paused would not notice.
    if (running.running) server.resume(running)
    await running.stop(server.signals[mode])
  }
  const stop = async (): Promise<void> => {
    await end('immediate')
    folder.remove()
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
