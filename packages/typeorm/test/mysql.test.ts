import { setTimeout as sleep } from 'node:timers/promises'
import mysql from 'mysql2'
import type { QueryRunner } from 'typeorm'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { startDetour } from './detour.ts'
import { type Servers, startServers } from './servers.ts'

describe('a DataSource of vaultDataSource() for MySQL', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers('mysql')
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it('takes its place from a url, and options of the driver from "extra"', async () => {
    const { host, port, database } = servers.place
    const dataSource = await servers.dataSource({
      url: `mysql://${host}:${port}/${database}`,
      extra: { decimalNumbers: true },
    })
    expect(await dataSource.query('select 1.5 as number')).toEqual([{ number: 1.5 }])
    await expect(servers.dataSource({ extra: { user: 'me' } })).rejects.toThrow('Leave out "user"')
  })

  it('gives mysql2 no option that mysql2 complains about', async () => {
    const complaints = vi.spyOn(console, 'error')
    await servers.dataSource()
    expect(complaints).not.toHaveBeenCalled()
    complaints.mockRestore()
  })

  it('makes its pools of the driver that it is given, which has to be mysql2', async () => {
    const createPool = vi.fn(mysql.createPool)
    const dataSource = await servers.dataSource({
      driver: { ...mysql, Connection: mysql.Connection, createPool },
    })
    expect(await servers.userOf(dataSource)).toMatch(/^v-/)
    expect(createPool).toHaveBeenCalledOnce()
    const { createConnection } = mysql
    await expect(servers.dataSource({ driver: { createPool, createConnection } })).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
      message: expect.stringContaining('has to work with mysql2'),
    })
  })

  it.each([['start transaction'], ['set autocommit = 0', 'update items set name = name']])(
    'waits for a transaction that is begun by "%s" when it is destroyed',
    async (...statements) => {
      const dataSource = await servers.dataSource()
      const runner = dataSource.createQueryRunner()
      for (const statement of statements) await runner.query(statement)
      const destroyed = dataSource.destroy()
      await sleep(500)
      await runner.query('insert into items (name) values (?)', statements)
      await runner.query('commit')
      await destroyed
      expect(await servers.database.query('select 1 from items where name = ?', statements)).toHaveLength(1)
    },
  )

  it('reads from its replicas in turn, and passes over one that is gone', async () => {
    const { place } = servers
    using first = await startDetour(place)
    using second = await startDetour(place)
    const detours = [first, second]
    const slaves = detours.map(({ host, port }) => ({ ...place, host, port }))
    const dataSource = await servers.dataSource({ replication: { master: place, slaves } })
    const runners: QueryRunner[] = []
    const connectTwice = async (): Promise<number[]> => {
      const before = detours.map(({ connections }) => connections)
      for (const runner of [dataSource.createQueryRunner('slave'), dataSource.createQueryRunner('slave')]) {
        runners.push(runner)
        await servers.userOf(runner)
      }
      return detours.map(({ connections }, index) => connections - (before[index] ?? 0))
    }
    await connectTwice()
    // Each by the connection that has proven the user there.
    expect(detours.map(({ connections }) => connections)).toEqual([1, 1])
    second.reachable = false
    expect(await connectTwice()).toEqual([2, 1])
    for (const runner of runners) await runner.release()
    await dataSource.destroy()
  })
})
