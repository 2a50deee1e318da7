import { describe, expect, it } from 'vitest'
import { dynamicRole } from '../../src/source/dynamic-role.ts'
import type { Lease } from '../../src/source/lease.ts'
import { staticRole } from '../../src/source/static-role.ts'
import { token } from '../../src/vault/auth/token.ts'
import type { TokenFacts } from '../../src/vault/token.ts'
import { asVault, reply, type Seen, startHttpServer } from '../http-server.ts'
import { rejection } from '../secrets.ts'
import { vaultOf } from '../servers.ts'

const signal = AbortSignal.timeout(30_000)
const data = { username: 'v-app', password: 'p' }
const leased = (number: number, more: object = {}) => ({
  lease_id: `database/creds/app/${number}`,
  lease_duration: 60,
  renewable: true,
  data,
  ...more,
})

type Read = (
  number: number,
  request: Seen,
) => readonly [body: unknown, headers?: Record<string, string>, status?: number]

/** A dynamic role on a Vault that answers its reads so, and what is discarded of it. */
async function roleOn(read: Read) {
  let reads = 0
  const server = await startHttpServer(
    asVault((request, response) => {
      const [body, headers, status = 200] = read(++reads, request)
      reply(response, status, body, headers)
    }),
  )
  const vault = vaultOf({ address: server.address, auth: token('s.token') })
  const source = dynamicRole({ open: () => vault, mount: 'database', name: 'app', close: async () => {} })
  const discarded: string[] = []
  const discard = ({ id }: Lease) => void discarded.push(id.replace('database/creds/app/', ''))
  const fetch = (pastCache = false) => source.fetch({ outliveMs: 0, pastCache, discard, signal })
  return {
    server,
    discarded,
    reads: () => reads,
    fetch,
    async [Symbol.asyncDispose]() {
      await vault.close()
      await server[Symbol.asyncDispose]()
    },
  }
}

describe('a dynamic role', () => {
  const unusable: [string, object][] = [
    ['no user name', { data: { password: 'p' } }],
    ['no password', { data: { username: 'u' } }],
    ['no data', { data: null }],
    ['no time left', { lease_duration: 0 }],
  ]
  it.each(unusable)('has a lease ended that comes with %s', async (_name, more) => {
    await using role = await roleOn((number) => [leased(number, more)])
    expect(await rejection(role.fetch())).toMatchObject({ code: 'ERR_VAULT_BAD_ANSWER' })
    expect(role.discarded).toEqual(['1'])
  })

  it('has no lease ended that others live by: one in use, and one of a cache', async () => {
    await using twice = await roleOn(() => [leased(1)])
    await twice.fetch()
    await rejection(twice.fetch())
    expect(twice.discarded).toEqual([])
    await using cached = await roleOn((number) => [
      leased(number, { data: {} }),
      { age: '1', 'x-cache': 'HIT' },
    ])
    await rejection(cached.fetch())
    await rejection(cached.fetch(true))
    expect(cached.discarded).toEqual([])
  })

  it('behind what misses without a cache has the second lease ended, and asks for none again', async () => {
    await using role = await roleOn((number) => [leased(number), { 'x-cache': 'MISS' }])
    const { lease } = await role.fetch()
    expect(lease).toMatchObject({ id: 'database/creds/app/1', revocable: true })
    expect(role.discarded).toEqual(['2'])
    await role.fetch()
    expect(role.reads()).toBe(3)
    expect(role.discarded).toEqual(['2'])
  })

  it('behind a cache that keeps nothing any more owns what it is given, so that it does not leave one user after the other', async () => {
    const cache = new Map<string, number>()
    let keeps = true
    await using role = await roleOn((number) => {
      const kept = cache.get('app')
      if (keeps && kept === undefined) cache.set('app', number)
      return [
        leased(keeps ? (kept ?? number) : number),
        { 'x-cache': keeps && kept ? 'HIT' : 'MISS', age: '0' },
      ]
    })
    expect((await role.fetch()).lease.revocable).toBe(false)
    keeps = false
    const { lease } = await role.fetch()
    expect(lease.revocable).toBe(true)
    expect(role.discarded).toEqual(['4'])
  })

  it('with a second read that fails serves the first one, and ends nothing that others may have', async () => {
    await using role = await roleOn((number) =>
      number === 1 ? [leased(1), { 'x-cache': 'MISS' }] : [{ errors: ['later'] }, {}, 500],
    )
    expect((await role.fetch()).lease.id).toBe('database/creds/app/1')
    expect(role.discarded).toEqual([])
  })
})

describe('a static role', () => {
  it('goes by the token at hand, not by the one that it was read with', async () => {
    const facts = (end: number): TokenFacts => ({ issuedAt: 0, end, renewable: true, replaceable: true })
    const session = { facts: facts(10), release: () => {} }
    const send = async () => ({
      data: { username: 'u', password: 'p', ttl: 60, last_vault_rotation: 'x' },
      sentAt: 0,
      token: { facts: facts(10) },
    })
    const open = () => ({ send, session }) as never
    const source = staticRole({ open, mount: 'database', name: 'app', close: async () => {} }, () => 0.5)
    const issued = await source.fetch({ outliveMs: 0, pastCache: false, discard: () => {}, signal })
    expect(issued.tokenFacts()).toMatchObject({ end: 10 })
    session.facts = facts(20)
    expect(issued.tokenFacts()).toMatchObject({ end: 20 })
  })
})
