import { fileURLToPath } from 'node:url'
import { hammer } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { freePort } from '../../../packages/testing/src/server-process.ts'
import { addressOf, call, exitCodeOf, runScript } from '../../../test/examples/service.ts'
import { type LeasedServers, startLeasedServers } from '../../../test/leased-servers.ts'
import { schemas } from '../../../test/subjects/subject.ts'

const folder = fileURLToPath(new URL('..', import.meta.url))
const rotations = 2

const recipes = {
  postgresql: ['typeorm', 'sequelize', 'prisma'],
  mongodb: ['mongoose'],
} as const

/** Those that give up at once when they cannot connect. */
const failing = { postgresql: ['sequelize', 'prisma'], mongodb: [] } as const

describe.each(['postgresql', 'mongodb'] as const)('Nest on %s', (kind) => {
  let servers: LeasedServers
  beforeAll(async () => {
    servers = await startLeasedServers({ kind, schema: schemas[kind] })
    await servers.engine.role(servers.role, { ttl: '6s', maxTtl: '12s' })
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it.each(recipes[kind])(
    '%s serves every request across rotations, and ends at SIGTERM in order',
    async (name) => {
      const { engine } = servers
      const service = runScript(folder, name, {
        ...(await servers.environment()),
        HOST: '127.0.0.1',
        PORT: '0',
      })
      servers.closing(service, () => service.kill('SIGKILL'))
      const address = await addressOf(service)
      const is = async (status: number, ...request: [string, string]): Promise<void> => {
        const answer = await call(address, ...request)
        if (answer.status !== status)
          throw new Error(`answered ${answer.status} ${JSON.stringify(answer.body)}`)
      }
      expect(await call(address, 'GET', '/health')).toMatchObject({
        status: 200,
        body: { status: 'ok', info: { database: { status: 'up', reasons: [] } } },
      })
      expect(await call(address, 'GET', '/items/3')).toEqual({ status: 200, body: { name: 'item 3' } })

      const droppedBefore = (await engine.drops()).length
      const dropped = async () => (await engine.drops()).slice(droppedBefore)
      const { queries, firstErrors } = await hammer({
        run: {
          query: () => is(200, 'GET', `/items/${anyId()}`),
          transaction: () => is(204, 'POST', `/items/${anyId()}/hits`),
        },
        workers: 12,
        thinkMs: 20,
        until: vi.waitUntil(async () => (await dropped()).length >= rotations, {
          timeout: 50_000,
          interval: 250,
        }),
      })
      expect(firstErrors).toEqual({})
      expect(queries).toBeGreaterThan(30)

      // What came before SIGTERM is still answered: the second of two requests is, so the first is there.
      const held = call(address, 'POST', '/items/100/hits?holdMs=500')
      await is(200, 'GET', '/items/100')
      service.kill('SIGTERM')
      expect(await held).toMatchObject({ status: 204 })
      expect(await exitCodeOf(service)).toBe(143)
      expect(await engine.users()).toEqual([])
      expect(await engine.leases(servers.role)).toEqual([])
      expect((await dropped()).filter(({ openSessions }) => openSessions > 0)).toEqual([])
    },
  )

  it.each(failing[kind])(
    '%s ends, and leaves no user, when the database is away at the start',
    async (name) => {
      const environment = await servers.environment()
      const service = runScript(folder, name, { ...environment, PGPORT: String(await freePort()) })
      servers.closing(service, () => service.kill('SIGKILL'))
      expect(await exitCodeOf(service)).toBe(1)
      expect(await servers.engine.users()).toEqual([])
    },
  )
})

const anyId = (): number => 1 + Math.floor(Math.random() * 99)
