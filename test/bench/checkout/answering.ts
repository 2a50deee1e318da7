import { once } from 'node:events'
import type { AddressInfo, Server } from 'node:net'
import mysql from 'mysql2'
import pg from 'pg'

type Done = (error: Error | null, result?: unknown) => void

/** From now on every pg.Client connects at once, to nothing, and has one row for whatever it is asked. */
export function answerOnPg(): void {
  const row = { version: 'PostgreSQL 15.0' }
  const result = { rows: [row], rowCount: 1, fields: [] }
  const answers = {
    connect(this: object, done?: Done) {
      Object.assign(this, { readyForQuery: true })
      return answer(done, undefined)
    },
    query: (...args: unknown[]) => answer(args.find(isDone), result),
    ref() {},
    unref() {},
    end(this: pg.Client, done?: Done) {
      process.nextTick(() => this.emit('end'))
      return answer(done, undefined)
    },
  }
  Object.assign(pg.Client.prototype, answers)
}

function isDone(argument: unknown): argument is Done {
  return typeof argument === 'function'
}

function answer(done: Done | undefined, result: unknown): Promise<unknown> | undefined {
  if (!done) return Promise.resolve(result)
  process.nextTick(done, null, result)
  return undefined
}

/** A server of MySQL's protocol in this process: it lets everybody in, and has one row for whatever it is asked. */
export async function answerOnMySql(): Promise<{ readonly port: number; close(): Promise<void> }> {
  const connections = new Set<mysql.Connection>()
  const server = mysql.createServer((connection) => {
    connections.add(connection)
    connection.on('error', () => {})
    connection.on('query', () => {
      connection.sequenceId = 1
      connection.writeTextResult([{ one: 1 }], [oneColumn])
    })
    connection.on('quit', () => connection.destroy())
    connection.serverHandshake({ ...handshake, connectionId: connections.size })
  })
  server.listen(0)
  // It does not tell its port.
  const { _server: listening } = server as unknown as { readonly _server: Server }
  await once(listening, 'listening')
  return {
    port: (listening.address() as AddressInfo).port,
    async close() {
      for (const connection of connections) connection.destroy()
      await new Promise((resolve) => listening.close(resolve))
    },
  }
}

const handshake = {
  protocolVersion: 10,
  serverVersion: '8.0.35',
  statusFlags: 2,
  characterSet: 45,
  capabilityFlags: 0x0f_f7_ff,
  authCallback: (_login: unknown, done: (refusal: null) => void) => done(null),
}

const oneColumn = {
  catalog: 'def',
  schema: '',
  name: 'one',
  orgName: 'one',
  table: '',
  orgTable: '',
  characterSet: 63,
  columnLength: 1,
  columnType: 8,
  flags: 129,
  decimals: 0,
}
