import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createLease } from '../../src/lease/create-lease.ts'
import type { LeaseOptions } from '../../src/lease/lease-options.ts'
import { attach, type LeaseManager } from '../../src/lease/manager.ts'
import type { AuthMethod } from '../../src/vault/auth/auth.ts'
import { token } from '../../src/vault/auth/token.ts'
import { rejection } from '../secrets.ts'
import { type Servers, startServers } from '../servers.ts'

describe('leases of one process', () => {
  let servers: Servers
  let value: string
  const opened: LeaseManager[] = []

  beforeAll(async () => {
    servers = await startServers()
    await servers.engine.role('other', { ttl: '60s', maxTtl: '10m' })
  })
  afterAll(() => servers?.[Symbol.asyncDispose]())

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((lease) => lease.close()))
    await vi.waitFor(async () => expect(await servers.engine.users()).toEqual([]), { timeout: 10_000 })
  })

  async function lease(options: Parameters<typeof createLease>[0] = {}): Promise<LeaseManager> {
    value ??= await servers.engine.createToken()
    const vault = { address: servers.vault.address, auth: token(value) }
    const made = createLease({ vault, role: 'app', ...options } as LeaseOptions)
    opened.push(made)
    return made
  }

  const user = ({ current }: LeaseManager): string | undefined => current?.username

  it('of the same role are one lease and one user, which ends with the last of them', async () => {
    const [one, other] = [await lease(), await lease()]
    await Promise.all([one.ready(), other.ready()])
    expect(user(one)).toBe(user(other))
    expect(await servers.engine.users()).toHaveLength(1)
    await one.close()
    await one.close()
    expect(one.status().state).toBe('closed')
    expect(one.current).toBeUndefined()
    expect(await rejection(one.credential())).toMatchObject({ code: 'ERR_LEASE_CLOSED' })
    expect(await rejection(one.rotate())).toMatchObject({ code: 'ERR_LEASE_CLOSED' })
    expect(other.status().state).toBe('ready')
    expect(await servers.engine.users()).toEqual([user(other)])
    await other.close()
    expect(await servers.engine.users()).toEqual([])
  })

  it('rotate together, tell all who listen, and tell the one that leaves of its own end only', async () => {
    const [one, other] = [await lease(), await lease()]
    const told: string[] = []
    one.on('rotated', ({ generation }) => void told.push(`one ${generation}`))
    other.on('rotated', ({ generation }) => void told.push(`other ${generation}`))
    await Promise.all([one.ready(), other.ready()])
    await other.rotate()
    expect(told).toEqual(['one 1', 'other 1', 'one 2', 'other 2'])
    expect(user(one)).toBe(user(other))
    const states: string[] = []
    one.on('state', ({ to }) => void states.push(`one ${to}`))
    other.on('state', ({ to }) => void states.push(`other ${to}`))
    await one.close()
    await other.rotate()
    expect(told.slice(4)).toEqual(['other 3'])
    expect(states).toEqual(['one closing', 'one closed', 'other rotating', 'other ready'])
  })

  it('have what belongs to the one that leaves closed, and nothing of the others', async () => {
    const [one, other] = [await lease(), await lease()]
    await Promise.all([one.ready(), other.ready()])
    const retired: string[] = []
    const consumer = (name: string) => ({
      place: `test://${name}`,
      prove: async () => 'accepted' as const,
      retire: async (generation: number) => {
        retired.push(`${name} ${generation}`)
        return { closed: 1, forced: 0 }
      },
    })
    attach(one, consumer('one'))
    attach(other, consumer('other'))
    await one.close()
    expect(retired).toEqual(['one 1'])
    await other.rotate()
    await vi.waitFor(() => expect(other.status().retiring).toEqual([]), { timeout: 10_000 })
    expect(retired).toEqual(['one 1', 'other 1'])
  })

  it('begin anew after the last has closed', async () => {
    const one = await lease()
    await one.ready()
    const before = user(one)
    await one.close()
    const next = await lease()
    await next.ready()
    expect(user(next)).not.toBe(before)
  })

  it.each([
    ['of another role', { role: 'other' }],
    ['with another drain', { rotation: { drainTimeoutMs: 1_000 } }],
    ['that are told not to share', { shared: false }],
  ])('%s are two', async (_name, options) => {
    const [one, other] = [await lease(), await lease(options)]
    await Promise.all([one.ready(), other.ready()])
    expect(user(one)).not.toBe(user(other))
  })

  it('of another login are two', async () => {
    const auth = token(await servers.engine.createToken())
    const [one, other] = [await lease(), await lease({ vault: { address: servers.vault.address, auth } })]
    await Promise.all([one.ready(), other.ready()])
    expect(user(one)).not.toBe(user(other))
  })

  it('of one function that gives the credential are one, and of two functions two', async () => {
    let called = 0
    const one = async () => ({ username: 'app', password: `token ${++called}` })
    const leases = [one, one, async () => one()].map((credential) => createLease({ credential }))
    const given = await Promise.all(leases.map((each) => each.credential()))
    await Promise.all(leases.map((each) => each.close()))
    expect(given.map(({ password }) => password)).toEqual(['token 1', 'token 1', 'token 2'])
  })

  it('of options that a class has as getters are one where these say the same, and else two', async () => {
    const auth = token(await servers.engine.createToken())
    class At {
      readonly #address: string
      constructor(address: string) {
        this.#address = address
      }
      get address(): string {
        return this.#address
      }
      get auth(): AuthMethod {
        return auth
      }
    }
    const { address } = servers.vault
    const elsewhere = address.replace('127.0.0.1', 'localhost')
    expect(elsewhere).not.toBe(address)
    const at = (address: string): Promise<LeaseManager> => lease({ vault: new At(address) })
    const [one, same, other] = [await at(address), await at(address), await at(elsewhere)]
    await Promise.all([one.ready(), same.ready(), other.ready()])
    expect(user(one)).toBe(user(same))
    expect(user(one)).not.toBe(user(other))
  })
})
