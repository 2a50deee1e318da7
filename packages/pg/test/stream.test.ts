import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { hammer } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Servers, startServers } from './servers.ts'

describe('a pool whose option "stream" opens the sockets', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  /** Connects by itself, as a connector of a cloud does, whatever the driver tells it. */
  const connecting = (port: number): Socket => {
    const socket = connect({ host: servers.place.host, port })
    return Object.assign(socket, { connect: () => socket })
  }

  it('loses no connection that has to wait for room', async () => {
    const pool = await servers.pool({ max: 2, stream: () => connecting(servers.place.port) })
    const rotations = async (): Promise<void> => {
      for (let rotation = 0; rotation < 5; rotation++, await sleep(100)) await pool.lease.rotate()
    }
    const { failed, tookMs } = await hammer({
      run: { query: () => pool.query('select pg_sleep(0.005)') },
      workers: 8,
      until: rotations(),
    })
    expect(failed).toBe(0)
    expect(tookMs).toBeLessThan(10_000)
  })

  it('says why there is no connection when it throws, and goes on when it does not', async () => {
    let broken = true
    const stream = (): Socket => {
      if (broken) throw new Error('the connector is closed')
      return connecting(servers.place.port)
    }
    const pool = await servers.pool({ stream })
    await expect(pool.query('select 1')).rejects.toThrow('the connector is closed')
    broken = false
    await vi.waitFor(() => pool.query('select 1'), { timeout: 10_000 })
    broken = true
    await expect(Promise.all([pool.query('select pg_sleep(0.1)'), pool.query('select 1')])).rejects.toThrow(
      'the connector is closed',
    )
    expect(pool.totalCount).toBe(1)
  })
})
