import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { AppFactory } from '@adonisjs/core/factories/app'
import { EmitterFactory } from '@adonisjs/core/factories/events'
import { LoggerFactory } from '@adonisjs/core/factories/logger'
import type { LeaseManager } from '@vault-lease/pg'
import { hammer } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, type Place, startLeasedServers } from '../../../test/leased-servers.ts'
import { schemas } from '../../../test/subjects/subject.ts'
import { openOverConnector } from '../src/cloud-sql-connector.ts'
import { openDrizzle } from '../src/drizzle-mysql2.ts'
import type { Items } from '../src/items.ts'
import { openKnex } from '../src/knex-connection-pool.ts'
import { openKysely } from '../src/kysely-mysql.ts'
import { openLucid } from '../src/lucid.ts'
import { openObjection } from '../src/objection.ts'
import { openPgPromise } from '../src/pg-promise.ts'
import { openSlonik } from '../src/slonik.ts'

type Options = Place & { readonly lease: LeaseManager }
type Open = (options: Options) => Items | Promise<Items>

const app = new AppFactory().create(new URL('./', import.meta.url))
const adonis = { logger: new LoggerFactory().create(), emitter: new EmitterFactory().create(app) }

/** As Google's does it: the socket is connecting by itself, and does not do it again when the driver tells it to. */
const connectorTo = (host: string, port: number): Parameters<typeof openOverConnector>[1] => ({
  async getOptions() {
    const stream = (): Socket => {
      const socket = connect({ host, port })
      return Object.assign(socket, { connect: () => socket })
    }
    return { stream }
  },
})

const recipes = {
  postgresql: {
    Objection: openObjection,
    "knex's connectionPool": (options) => openKnex({ ...options, max: 5 }),
    'pg-promise': (options) => openPgPromise({ ...options, max: 5 }),
    slonik: (options) => openSlonik({ ...options, max: 5 }),
    Lucid: (options) => openLucid(options, adonis),
    "Cloud SQL's connector": ({ host, port, ...options }) =>
      openOverConnector({ ...options, max: 5 }, connectorTo(host, port)),
  },
  mysql: {
    Drizzle: (options) => openDrizzle({ ...options, connectionLimit: 5 }),
    Kysely: (options) => openKysely({ ...options, connectionLimit: 5 }),
  },
} satisfies Record<string, Record<string, Open>>

const streaming = new Set(['pg-promise', 'slonik'])

describe.each(['postgresql', 'mysql'] as const)('on %s', (kind) => {
  let servers: LeasedServers
  beforeAll(async () => {
    servers = await startLeasedServers({ kind, schema: schemas[kind] })
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.[Symbol.asyncDispose]())

  it.each(Object.entries<Open>(recipes[kind]))(
    '%s fails no query while its user is replaced',
    async (_name, open) => {
      const lease = await servers.lease()
      const items = await open({ ...servers.place, lease })
      servers.closing(items, () => items.close())
      expect(await items.nameOf(3)).toBe('item 3')
      const rotations = async (): Promise<void> => {
        for (let rotation = 0; rotation < 5; rotation++, await sleep(300)) await lease.rotate()
      }
      const { failed, firstErrors, queries, server } = await hammer({
        run: { query: () => items.nameOf(1), transaction: () => items.hit(2) },
        workers: 12,
        thinkMs: 5,
        until: rotations(),
        watch: { server: servers.database, engine: servers.engine },
      })
      expect({ failed, firstErrors }).toEqual({ failed: 0, firstErrors: {} })
      expect(queries).toBeGreaterThan(30)
      expect(server?.mostAtOnce).toBeLessThanOrEqual(5)
    },
  )

  it.each(Object.entries<Open>(recipes[kind]).filter(([name]) => streaming.has(name)))(
    '%s reads on across a rotation',
    async (_name, open) => {
      const lease = await servers.lease()
      const items = await open({ ...servers.place, lease })
      servers.closing(items, () => items.close())
      const last = 20_000
      let sum = 0
      for await (const n of items.count?.(last) ?? []) {
        sum += n
        if (n === 10) await lease.rotate()
        if (n === 20) expect(lease.status().retiring).toHaveLength(1)
      }
      expect(sum).toBe((last * (last + 1)) / 2)
      await vi.waitFor(() => expect(lease.status().retiring).toEqual([]), 5_000)
      expect(await items.nameOf(3)).toBe('item 3')
    },
  )
})
