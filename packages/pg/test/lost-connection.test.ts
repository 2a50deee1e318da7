import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type CuttingProxy, startCuttingProxy } from './cutting-proxy.ts'
import { type Servers, startServers } from './servers.ts'

describe('a connection that is lost between the last row and the word that the server is ready', () => {
  let servers: Servers
  let proxy: CuttingProxy
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(async () => {
    await servers.endAll()
    await proxy[Symbol.asyncDispose]()
  })
  afterAll(() => servers?.stop())

  async function clientThroughProxy() {
    const { host, port } = servers.database
    proxy = await startCuttingProxy({ host, port })
    // Nobody takes the slot of the connection that is to be lost.
    const pool = await servers.pool({ host: '127.0.0.1', port: proxy.port, max: 1 })
    const client = await pool.connect()
    proxy.cutAfterCommandComplete()
    return client
  }

  it('does not keep a stream from its end', async () => {
    const client = await clientThroughProxy()
    const rows: unknown[] = []
    const stream = client.query(
      new QueryStream('select * from generate_series(1, 25) n', [], { batchSize: 10 }),
    )
    const read = (async () => {
      for await (const row of stream) rows.push(row)
    })()
    await read.catch(() => {})
    expect(rows).toHaveLength(25)
    client.release()
  })

  it('does not keep a cursor from its end', async () => {
    const client = await clientThroughProxy()
    const cursor = client.query(new Cursor('select * from generate_series(1, 25) n'))
    expect(await cursor.read(10)).toHaveLength(10)
    expect(await cursor.read(30)).toHaveLength(15)
    await cursor.close()
    client.release()
  })
})
