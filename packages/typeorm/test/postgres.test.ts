import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Servers, startServers } from './servers.ts'

describe('a DataSource of vaultDataSource() for PostgreSQL', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers('postgres')
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it('takes its place from a url, and options of the driver from "extra"', async () => {
    const { host, port, database } = servers.place
    const dataSource = await servers.dataSource({
      url: `postgresql://${host}:${port}/${database}`,
      extra: { options: '-c search_path=private' },
    })
    expect(await dataSource.query('show search_path')).toEqual([{ search_path: 'private' }])
    await expect(servers.dataSource({ extra: { user: 'me' } })).rejects.toThrow('Leave out "user"')
  })

  it('leaves a connection in use with no listener for errors but that of TypeORM', async () => {
    const dataSource = await servers.dataSource()
    const runner = dataSource.createQueryRunner()
    const connection: pg.PoolClient = await runner.connect()
    expect(connection.listenerCount('error')).toBe(1)
    await runner.release()
  })

  it('makes its pools of the driver that it is given', async () => {
    const clients: pg.Client[] = []
    class Client extends pg.Client {
      constructor(config?: string | pg.ClientConfig) {
        super(config)
        clients.push(this)
      }
    }
    const dataSource = await servers.dataSource({ driver: { ...pg, Client } })
    expect(await servers.userOf(dataSource)).toMatch(/^v-/)
    expect(clients.length).toBeGreaterThan(0)
    await expect(servers.dataSource({ driver: {} })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
  })
})
