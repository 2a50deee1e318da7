import { join } from 'node:path'
import { freeze } from '../freeze.ts'
import type { OwnServer } from '../own-server.ts'
import { downloadSecantus } from '../pinned.ts'
import { onFreePort, ServerProcess } from '../server-process.ts'
import { createSuperuser, hello, ownPlace } from './own-place.ts'
import { connectionTo } from './session.ts'

/** SecantusDB speaks MongoDB's protocol, and says of itself that it is a replica set of one member. */
export async function secantus(): Promise<OwnServer> {
  const { python, packages } = await downloadSecantus()
  // Not as another user than ours: the Python of a developer is often in the home folder.
  const start = (folder: string, port: number, ...auth: string[]): Promise<ServerProcess> =>
    ServerProcess.start({
      name: 'secantusd',
      command: python,
      args: [
        ...['-m', 'secantus', '--host', '127.0.0.1', '--port', String(port), ...auth],
        ...['--storage-path', join(folder, 'data'), '--cache-size', '128M'],
        // A member of a replica set that is killed has what it acknowledged.
        '--sync-on-commit',
      ],
      env: { PYTHONPATH: packages },
      folder,
      ready: () => hello(port),
    })
  return {
    // Users are made while nobody has to log in.
    async initialise({ folder }) {
      const open = await onFreePort(async (port) => {
        const server = await start(folder, port)
        await createSuperuser(port)
        return server
      })
      await open.stop('SIGKILL')
    },
    start: ({ folder }, port) => start(folder, port, '--auth'),
    setUp: async (port) => connectionTo(ownPlace(port)),
    pause: ({ pid }) => freeze(pid),
    resume: (running) => running.signal('SIGCONT'),
    signals: { immediate: 'SIGKILL', fast: 'SIGTERM' },
  }
}
