import { settlesWithin } from '@vault-lease/core/adapter'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { closeUnderHolder, closeWhenIdle } from '../src/close.ts'
import { asPgClient, type PgClient } from '../src/driver.ts'
import { type Servers, startServers } from './servers.ts'
import { startTalkingProxy, type TalkingProxy } from './talking-proxy.ts'

const soonMs = 4_000

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
