import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { settlesWithin } from '@vault-lease/core/adapter'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { cancelStatement, closeUnderHolder, closeWhenIdle } from '../src/close.ts'
import { asPgClient, type PgClient } from '../src/driver.ts'
import { type Servers, startServers } from './servers.ts'
import { startTalkingProxy, type TalkingProxy } from './talking-proxy.ts'

const soonMs = 4_000

describe('cancelling a statement', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterAll(() => servers?.stop())

  /** What a server hears that never answers, until it hears that the connection is over. */
  async function heardBySilence(connection: { ssl: unknown; sslNegotiation?: string }): Promise<Buffer> {
    const { host, port, database, superuser } = servers.database
    const client = new pg.Client({ ...superuser, host, port, database })
    await client.connect()
    const silence = createServer().listen(0, '127.0.0.1')
    await once(silence, 'listening')
    const address = silence.address()
    Object.assign(client, connection, { port: typeof address === 'object' ? address?.port : undefined })
    cancelStatement(asPgClient(client))
    const [socket]: Socket[] = await once(silence, 'connection')
    const heard: Buffer[] = []
    socket?.on('error', () => {}).on('data', (data) => heard.push(data))
    expect(socket && (await settlesWithin(once(socket, 'close'), soonMs))).toBe(true)
    silence.close()
    await client.end()
    return Buffer.concat(heard)
  }
  const ssl = { rejectUnauthorized: false }

  it('does not wait for a server that says nothing', async () => {
    expect((await heardBySilence({ ssl })).toString('hex')).toBe('0000000804d2162f')
  })

  it('begins with TLS at once where the connection did', async () => {
    const handshake = 0x16
    expect((await heardBySilence({ ssl, sslNegotiation: 'direct' }))[0]).toBe(handshake)
  })
})

describe('closing a connection to a server that talks on', () => {
  let servers: Servers
  let proxy: TalkingProxy
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => proxy[Symbol.asyncDispose]())
  afterAll(() => servers?.stop())

  async function clientThroughProxy(): Promise<PgClient> {
    const { host, port, database, superuser } = servers.database
    proxy = await startTalkingProxy({ host, port })
    const client = new pg.Client({ ...superuser, host: '127.0.0.1', port: proxy.port, database })
    client.on('error', () => {})
    await client.connect()
    return asPgClient(client)
  }

  it.each<[string, (client: PgClient) => Promise<void>]>([
    ['that nobody uses', closeWhenIdle],
    ['under its holder', (client) => closeUnderHolder(client, () => new Error('over'))],
  ])('takes two seconds at most: one %s', async (_which, close) => {
    const client = await clientThroughProxy()
    proxy.talkOn()
    expect(await settlesWithin(close(client), soonMs)).toBe(true)
    expect(client.connection.stream.destroyed).toBe(true)
  })
})

describe('closing a connection that nobody uses, while a query runs', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => vi.useRealTimers())
  afterAll(() => servers?.stop())

  const running = () =>
    servers.database.query(`select 1 from pg_stat_activity where query like 'select pg_sleep%'`)

  async function clientThatSleeps(seconds: number): Promise<{ client: PgClient; slept: Promise<unknown> }> {
    const { host, port, database, superuser } = servers.database
    const client = asPgClient(new pg.Client({ ...superuser, host, port, database }))
    client.on('error', () => {})
    await client.connect()
    const slept = client.query(`select pg_sleep(${seconds})`).then(
      () => 'answered',
      () => 'lost',
    )
    await vi.waitFor(async () => expect(await running()).toHaveLength(1))
    return { client, slept }
  }

  it('waits for its answer', async () => {
    const { client, slept } = await clientThatSleeps(0.5)
    await closeWhenIdle(client)
    expect(await slept).toBe('answered')
  })

  it('under a holder who lets go of it with the error has the server end the session, before its driver cuts it off', async () => {
    const { client, slept } = await clientThatSleeps(600)
    const ended = vi.fn()
    client.once('error', () => void client.end(ended))
    await closeUnderHolder(client, () => new Error('over'))
    expect(await slept).toBe('lost')
    expect(client.connection.stream.readableEnded).toBe(true)
    expect(ended).toHaveBeenCalledOnce()
    expect(await running()).toHaveLength(0)
  })

  it('waits half a minute at most, and then the server does not go on with it either', async () => {
    const { client, slept } = await clientThatSleeps(600)
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    const closed = closeWhenIdle(client)
    await vi.advanceTimersByTimeAsync(29_000)
    expect(client.connection.stream.destroyed).toBe(false)
    await vi.advanceTimersByTimeAsync(1_000)
    vi.useRealTimers()
    await closed
    expect(await slept).toBe('lost')
    await vi.waitFor(async () => expect(await running()).toHaveLength(0))
  })
})
