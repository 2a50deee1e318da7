import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, it } from 'vitest'
import { createPool } from '../src/promise.ts'

const packet = (sequence: number, ...parts: (string | number[])[]): Buffer => {
  const payload = Buffer.concat(parts.map((part) => Buffer.from(part as string)))
  const head = Buffer.alloc(4)
  head.writeUIntLE(payload.length, 0, 3)
  head[3] = sequence
  return Buffer.concat([head, payload])
}

/** Protocol::HandshakeV10 of a server that knows mysql_native_password, with salts of twenty letters. */
const greeting = packet(
  0,
  [10],
  '8.0.0\0',
  [1, 0, 0, 0],
  'saltsalt\0',
  [0xff, 0xf7, 45, 2, 0, 0x0f, 0x80, 21],
  '\0'.repeat(10),
  'saltsaltsalt\0',
  'mysql_native_password\0',
)
/** Protocol::AuthSwitchRequest, as a server sends it that hands the password on to somebody else. */
const switchToCleartext = packet(2, [0xfe], 'mysql_clear_password\0')

/** Says hello, asks for the password in clear text, and tells what it was given. */
async function passwordsGiven(): Promise<{ port: number; next: Promise<string>; close(): void }> {
  const sockets = new Set<Socket>()
  let tell: (password: string) => void
  const next = new Promise<string>((resolve) => {
    tell = resolve
  })
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}))
    socket.write(greeting)
    socket.once('data', () => {
      socket.write(switchToCleartext)
      socket.once('data', (answer) => tell(answer.subarray(4).toString()))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = (): void => {
    for (const socket of sockets) socket.destroy()
    server.close()
  }
  return { port: (server.address() as AddressInfo).port, next, close }
}

it('gives its password in clear text to a server that asks for it, when it is told to', async () => {
  const server = await passwordsGiven()
  const credential = async () => ({ username: 'app', password: 'a token of a cloud' })
  const { port } = server
  const pool = createPool({
    host: '127.0.0.1',
    port,
    database: 'app',
    enableCleartextPlugin: true,
    credential,
  })
  const query = pool.query('select 1').catch(() => {})
  expect(await server.next).toBe('a token of a cloud\0')
  server.close()
  await Promise.all([query, pool.end()])
})
