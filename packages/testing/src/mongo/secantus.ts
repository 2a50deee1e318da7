import { freeze } from '../freeze.ts'
import type { Home, OwnServer } from '../own-server.ts'
import { downloadSecantus } from '../pinned.ts'
import { onFreePort, ServerProcess } from '../server-process.ts'
import { createSuperuser, hello, ownPlace } from './own-place.ts'
import { connectionTo } from './session.ts'

/** It would close a connection, and let clients open another one, before it takes it off the list that `currentOp` tells. */
const program = `
import runpy
from secantus.connreg import ConnectionRegistry

list_connection = ConnectionRegistry.open

def open_connection(self, address, sock=None):
    number = list_connection(self, address, sock)
    if sock is not None:
        kind = type(sock)
        def close(closing):
            self.close(number)
            kind.close(closing)
        sock.__class__ = type(kind.__name__, (kind,), {"__slots__": (), "close": close})
    return number

ConnectionRegistry.open = open_connection
runpy.run_module("secantus", run_name="__main__", alter_sys=True)
`

/** SecantusDB speaks MongoDB's protocol, and says of itself that it is a replica set of one member. */
export async function secantus(password: string): Promise<OwnServer> {
  const { python, packages } = await downloadSecantus()
  // Not as another user than ours: the Python of a developer is often in the home folder.
  const start = ({ folder, data }: Home, port: number, ...auth: string[]): Promise<ServerProcess> =>
    ServerProcess.start({
      name: 'secantusd',
      command: python,
      args: [
        ...['-c', program, '--host', '127.0.0.1', '--port', String(port), ...auth],
        ...['--storage-path', data, '--cache-size', '128M'],
        // A member of a replica set that is killed has what it acknowledged.
        '--sync-on-commit',
      ],
      env: { PYTHONPATH: packages },
      folder,
      ready: () => hello(port),
    })
  return {
    // Users are made while nobody has to log in.
    async initialise(home) {
      const open = await onFreePort(async (port) => {
        const server = await start(home, port)
        await createSuperuser(ownPlace(port, password))
        return server
      })
      await open.stop('SIGKILL')
    },
    start: (home, port) => start(home, port, '--auth'),
    setUp: async () => {},
    connection: (port) => connectionTo(ownPlace(port, password)),
    pause: ({ pid }) => freeze(pid),
    resume: (running) => running.signal('SIGCONT'),
    signals: { immediate: 'SIGKILL', fast: 'SIGTERM' },
  }
}
