import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createPool } from '../src/index.ts'
import { ask, type Servers, startServers } from './servers.ts'

describe('a pool whose driver refuses its options', () => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers()
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it('has no part in the lease of the next one, which ends with that', async () => {
    const vault = await servers.vaultOptions()
    const options = { vault, role: servers.role, ...servers.place }
    expect(() => createPool({ ...options, ssl: 'there is no such profile' })).toThrow('SSL profile')
    const pool = createPool(options)
    await ask(pool, 'select 1')
    expect(await servers.engine.users()).toHaveLength(1)
    await pool.end()
    expect(await servers.engine.users()).toEqual([])
  })
})
