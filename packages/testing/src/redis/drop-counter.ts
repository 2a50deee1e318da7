import type { Socket } from 'node:net'
import type { Connection } from '../database-server.ts'
import type { Drop, DropCounter } from '../drops.ts'
import { openGateway } from '../gateway.ts'
import { openSessions } from './open-sessions.ts'

/** As clients send it, with the name of one user. */
const dropUser = /\$3\r\nACL\r\n\$7\r\nDELUSER\r\n\$\d+\r\n([^\r]+)\r\n/gi
/** What is kept of a chunk, in case that the command goes on in the next one. */
const longestCommand = 300

/** Vault's plugin can only drop a user, so the sessions are counted on the way of its command to the server. */
export async function countDropsOf(server: Connection): Promise<DropCounter> {
  const drops: Drop[] = []
  const count = async (username: string): Promise<void> => {
    const sessions = await openSessions(server)
    drops.push({ username, openSessions: sessions.get(username) ?? 0, at: Date.now() })
  }
  const gateway = await openGateway(server, (client, toServer) => forward(client, toServer, count))
  return {
    config: { host: gateway.host, port: gateway.port },
    drops: async () => [...drops],
    close: gateway.close,
  }
}

async function forward(
  client: Socket,
  server: Socket,
  onDrop: (username: string) => Promise<void>,
): Promise<void> {
  let before = ''
  for await (const chunk of client as AsyncIterable<Buffer>) {
    const text = before + chunk.toString('latin1')
    for (const command of text.matchAll(dropUser)) {
      const end = command.index + command[0].length
      if (end > before.length) await onDrop(command[1] ?? '')
    }
    before = text.slice(-longestCommand)
    server.write(chunk)
  }
}
