import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import { settlesWithin } from '@vault-lease/core/adapter'
import { openFaultProxy } from '@vault-lease/testing'
import mysql, { type PoolConnection } from 'mysql2'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { asUnderlyingPool, type MySqlDriver, type OpenStream } from '../src/driver.ts'
import { DriverPool } from '../src/driver-pool.ts'
import { leasedPool } from '../src/leased-pool.ts'
import { ask, connectionOf, failureOf, type Servers, startServers, userOf } from './servers.ts'

describe('a pool of mysql2 below createPool()', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  /** The way to the database, which notes who logs in by it, and how many are on it at a time. */
  function watchedWay() {
    const { host, port } = servers.database
    const logins: (string | undefined)[] = []
    const open = new Set<Socket>()
    const way = { logins, most: 0, stream }
    function stream({ config }: Parameters<OpenStream>[0]): Socket {
      const socket = connect(port, host)
      logins.push(config.user)
      open.add(socket)
      way.most = Math.max(way.most, open.size)
      return socket.on('close', () => open.delete(socket))
    }
    return way
  }

  it('logs in once to prove a user when it is not full, and never as the old user', async () => {
    const { logins, stream } = watchedWay()
    const pool = await servers.pool({ connectionLimit: 5, stream })
    const held = await Promise.all([connectionOf(pool), connectionOf(pool)])
    logins.length = 0
    await pool.lease.rotate()
    expect(logins).toEqual([pool.lease.status().username])
    for (const connection of held) connection.release()
    await Promise.all([userOf(pool), userOf(pool)])
    logins.length = 0
    await pool.lease.rotate()
    expect(logins).toEqual([pool.lease.status().username])
  })

  it('never has more connections than its limit, the one that proves a user counted', async () => {
    const way = watchedWay()
    const pool = await servers.pool({ connectionLimit: 2, stream: way.stream })
    let stop = false
    const workers = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!stop) await ask(pool, 'do 1')
      }),
    )
    for (let rotation = 0; rotation < 10; rotation++) {
      await sleep(20)
      await pool.lease.rotate()
    }
    stop = true
    await workers
    expect(way.most).toBe(2)
  })

  it('makes room with a connection that is given back, not with one that it opens for that', async () => {
    const { logins, stream } = watchedWay()
    const lease = await servers.lease()
    const pool = servers.closing(
      new DriverPool(lease, { driver: mysql, options: { connectionLimit: 3, stream } }),
      (each) => each.connections.attachment.close({ timeoutMs: 1_000 }),
    )
    await pool.connections.attachment.credential()
    const held = await taken(pool)
    logins.length = 0
    const made = pool.giveUpOne()
    expect(await settlesWithin(made, 100)).toBe(false)
    held.release()
    await made
    expect(logins).toEqual([])
  })

  it('makes room with a connection that is still being reset when room is wished for', async () => {
    await using way = await openFaultProxy(servers.database)
    const place = { host: way.host, port: way.port }
    const pool = await servers.pool({ ...place, connectionLimit: 1, resetOnRelease: true })
    const connection = await connectionOf(pool)
    way.set({ kind: 'latency', ms: 200 })
    connection.release()
    const began = performance.now()
    await pool.lease.rotate()
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(await userOf(pool)).toBe(pool.lease.status().username)
  })

  it('hands out what is given back while a user is being proven in a full pool', async () => {
    const { host, port } = servers.database
    const silent = createServer().listen(0, '127.0.0.1')
    const reached = once(silent, 'connection')
    let proving = false
    const stream = (): Socket => {
      const { port: nowhere } = silent.address() as { port: number }
      return proving ? connect(nowhere, '127.0.0.1') : connect(port, host)
    }
    const pool = await servers.pool({ connectionLimit: 2, stream })
    const [first, second] = await Promise.all([connectionOf(pool), connectionOf(pool)])
    second.release()
    proving = true
    const rotation = failureOf(pool.lease.rotate())
    const [stalled] = await reached
    const waiting = connectionOf(pool)
    await sleep(50)
    first.release()
    expect(await settlesWithin(waiting, 200)).toBe(true)
    ;(await waiting).release()
    proving = false
    stalled.destroy()
    await rotation
    silent.close()
  })

  it('gives the place of a lost connection to one who waits, not to two', async () => {
    const role = 'denied'
    const creationStatements = [
      `CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'`,
      `GRANT SELECT ON app.items TO '{{name}}'@'%'`,
    ]
    await servers.engine.role(role, { ttl: '60s', maxTtl: '10m', creationStatements })
    const pool = await servers.pool({ role, connectionLimit: 1 })
    const connection = await connectionOf(pool)
    expect(await failureOf(ask(connection, 'delete from items'))).toMatchObject({ errno: 1142 })
    const served: number[] = []
    const waiting = [1, 2, 3].map(async (turn) => {
      await ask(pool, 'do 1')
      served.push(turn)
    })
    // It is asked about its user when it is given back, and lost meanwhile.
    connection.release()
    connection.destroy()
    await Promise.all(waiting)
    expect(served).toEqual([1, 2, 3])
  })

  it('gives each connection what it has to have for itself, where they would share it', async () => {
    const driver: MySqlDriver = Object.assign(Object.create(mysql), {
      createPool(options: object) {
        const pool = mysql.createPool(options)
        const { connectionConfig } = pool.config as unknown as { connectionConfig: object }
        return Object.assign(pool, { _createConnectionConfig: () => connectionConfig })
      },
    })
    const lease = await servers.lease()
    const pool = servers.closing(leasedPool(driver, { ...servers.place, lease }), (each) => each.end())
    const held = await connectionOf(pool)
    const other = await connectionOf(pool)
    expect(other.config).not.toBe(held.config)
    await Promise.all([ask(held, 'do 1'), ask(other, 'do 1')])
    for (const connection of [held, other]) connection.release()
  })

  it('leaves the configuration of a connection as quick to read as it was', async () => {
    const pool = await servers.pool({ connectionLimit: 1 })
    const own = asUnderlyingPool(mysql.createPool(servers.place))
    expect(isDictionary(own._createConnectionConfig())).toBe(false)
    const connection = await connectionOf(pool)
    await ask(connection, 'do 1')
    expect(isDictionary(connection.config)).toBe(false)
    connection.release()
    own.end(() => {})
  })

  it('takes nobody for accepted whom its server has not answered yet', async () => {
    const lease = await servers.lease()
    await (await servers.pool({ lease })).lease.ready()
    await using way = await openFaultProxy(servers.database)
    way.set({ kind: 'hang' })
    const options = { host: way.host, port: way.port }
    const { connections } = new DriverPool(lease, { driver: mysql, options })
    const { attachment } = connections
    const credential = await attachment.credential()
    const connection = connections.createConnection(options)
    const over = new AbortController()
    const proof = failureOf(connections.prove(credential, over.signal))
    await sleep(50)
    expect(lease.status().places).toContainEqual(
      expect.objectContaining({ place: connections.place, state: 'unproven' }),
    )
    over.abort(new Error('over'))
    connection.destroy()
    await proof
    await attachment.close({ timeoutMs: 1_000 })
  })
})

/** How V8 keeps the properties of an object; each query reads some forty of a configuration. */
function isDictionary(object: object): boolean {
  setFlagsFromString('--allow-natives-syntax')
  return !runInThisContext('(object) => %HasFastProperties(object)')(object)
}

function taken(pool: DriverPool): Promise<PoolConnection> {
  return new Promise((resolve, reject) =>
    pool.take((error, connection) => (connection ? resolve(connection) : reject(error))),
  )
}
