import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseServerOptions } from '../database-server.ts'
import { freeze } from '../freeze.ts'
import type { OwnServer } from '../own-server.ts'
import { ServerProcess } from '../server-process.ts'
import { asNobody, createSuperuser, hello, ownPlace } from './own-place.ts'
import { connectionTo } from './session.ts'

const replicaSet = 'vault-lease'

/** MongoDB's own server, as a replica set of one member. */
export function mongod(
  command: string,
  { maxConnections = 300 }: DatabaseServerOptions,
  password: string,
): OwnServer {
  return {
    async initialise() {},
    start({ folder, data, uid }, port) {
      const keyFile = join(folder, 'key')
      if (!existsSync(keyFile)) {
        writeFileSync(keyFile, randomBytes(48).toString('base64'), { mode: 0o600 })
        if (uid !== undefined) chownSync(keyFile, uid, uid)
      }
      return ServerProcess.start({
        name: 'mongod',
        command,
        args: [
          ...['--dbpath', data, '--port', String(port), '--bind_ip', '127.0.0.1'],
          ...['--replSet', replicaSet, '--keyFile', keyFile, '--nounixsocket'],
          ...['--wiredTigerCacheSizeGB', '0.25', '--oplogSize', '64', '--maxConns', String(maxConnections)],
        ],
        folder,
        uid,
        async ready() {
          const { isWritablePrimary, isreplicaset } = await hello(port)
          if (!isWritablePrimary && !isreplicaset) throw new Error('not yet primary')
        },
      })
    },
    async setUp(port) {
      const members = [{ _id: 0, host: `127.0.0.1:${port}` }]
      const initiate = { replSetInitiate: { _id: replicaSet, members }, $db: 'admin' }
      await connectionTo(asNobody(port)).query(JSON.stringify(initiate))
      await untilPrimary(port)
      await createSuperuser(ownPlace(port, password))
    },
    connection: (port) => connectionTo(ownPlace(port, password)),
    pause: ({ pid }) => freeze(pid),
    resume: (running) => running.signal('SIGCONT'),
    signals: { immediate: 'SIGKILL', fast: 'SIGTERM' },
  }
}

async function untilPrimary(port: number): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(50)) {
    if ((await hello(port)).isWritablePrimary) return
  }
  throw new Error('mongod did not become primary within 30 s')
}
