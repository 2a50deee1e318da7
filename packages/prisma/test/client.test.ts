import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionRetiredError, CredentialsUnavailableError, type LeaseManager } from '@vault-lease/core'
import { watchSessions } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { vaultLeaseErrorOf } from '../src/lease-errors.ts'
import type { Prisma, PrismaClient } from './generated/postgresql/client.ts'
import { max, type Servers, startServers } from './servers.ts'

describe.each(['postgresql', 'mysql'] as const)('a PrismaClient on vaultAdapter() for %s', (provider) => {
  let servers: Servers
  beforeAll(async () => {
    servers = await startServers(provider)
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  const nothingIsLeft = async (): Promise<void> => {
    expect(await servers.engine.users()).toEqual([])
    expect(await servers.engine.leases('app')).toEqual([])
  }

  it('works by its one line, $disconnect() leaves nothing, and the next query begins anew', async () => {
    const db = await servers.client()
    const before = await servers.userOf(db)
    expect(before).toMatch(/^v-token-app-/)
    await Promise.all([db.$disconnect(), db.$disconnect()])
    await nothingIsLeft()
    await db.$connect()
    expect(await servers.userOf(db)).not.toBe(before)
    await db.$disconnect()
    await nothingIsLeft()
  })

  it('leaves a lease to the caller who made it, also when it connects again', async () => {
    const lease = await servers.lease()
    const db = await servers.client({ lease })
    const user = await servers.userOf(db)
    await db.$disconnect()
    expect(lease.status().state).toBe('ready')
    expect(await servers.userOf(db)).toBe(user)
  })

  it('has its connections back when the database has lost them under transactions that nobody ends', async () => {
    const adapter = await (await servers.adapter()).connect()
    for (let begun = 0; begun < max; begun++) await adapter.startTransaction()
    await servers.database.restart()
    const one = { sql: 'select 1 as one', args: [], argTypes: [] }
    const { rows } = await vi.waitUntil(() => adapter.queryRaw(one).catch(() => undefined), {
      timeout: 15_000,
    })
    expect(rows).toHaveLength(1)
    await adapter.dispose()
    await nothingIsLeft()
  })

  it('answers what is queued when it disconnects', async () => {
    const lease = await servers.lease()
    const db = await servers.client({ lease })
    await db.$connect()
    const queries = Array.from({ length: 30 }, () => db.author.findMany())
    const answers = Promise.all(queries)
    await sleep(1)
    await Promise.all([answers, db.$disconnect()])
  })

  it('writes nested, in batches and in interactive transactions across rotations', async () => {
    const lease = await servers.lease()
    const db = await servers.client({ lease })
    await db.$connect()
    const watch = await watchSessions(servers.database, { everyMs: 5 })
    const work = Promise.all(
      Array.from({ length: 12 }, (_, worker) => everything(db, lease, `author ${worker}`)),
    )
    while (lease.generation < 4) {
      await sleep(100)
      await lease.rotate()
    }
    await work
    expect((await watch.stop()).mostAtOnce).toBe(max)
    expect(await db.author.count()).toBe(12)
    expect(await db.book.count()).toBe(12 * 4)
    const drops = await servers.engine.drops()
    expect(drops.filter(({ openSessions }) => openSessions > 0)).toEqual([])
  })

  it('rolls back what failed, and uses the connection again', async () => {
    const db = await servers.client()
    for (let attempt = 0; attempt < 2 * max; attempt++) {
      const failed = db.$transaction(async (tx) => {
        await tx.author.create({ data: { name: 'nobody' } })
        throw new Error('changed my mind')
      })
      await expect(failed).rejects.toThrow('changed my mind')
    }
    expect(await db.author.count({ where: { name: 'nobody' } })).toBe(0)
  })

  it("leaves Prisma's own errors as they are", async () => {
    const db = await servers.client()
    await db.author.create({ data: { name: 'twice' } })
    const error = await db.author.create({ data: { name: 'twice' } }).catch((failure: unknown) => failure)
    expect(error).toMatchObject({ code: 'P2002' })
    expect(vaultLeaseErrorOf(error)).toBeUndefined()
    expect(vaultLeaseErrorOf(undefined)).toBeUndefined()
  })

  it('tells that there is no credential: by code and message, and by the error beneath', async () => {
    const lease = await servers.leaseOf('2s')
    const db = await servers.client({ lease })
    await db.$connect()
    await servers.vault.kill()
    while (lease.current) await sleep(20)
    const asked = [
      db.author.findMany(),
      db.$queryRaw`select 1`,
      db.$transaction([db.author.count()]),
      db.$transaction((tx) => tx.author.count()),
    ]
    for (const result of await Promise.allSettled(asked)) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: {
          code: 'ERR_CREDENTIALS_UNAVAILABLE',
          message: expect.stringMatching(/database credential/),
        },
      })
      const error = vaultLeaseErrorOf('reason' in result && result.reason)
      expect(error).toBeInstanceOf(CredentialsUnavailableError)
      expect(error).toMatchObject({ retryable: true })
    }
    await servers.vault.start()
    while (!lease.current) await sleep(50)
    await db.author.findMany()
  })

  it('ends a statement that runs until its user has to go', async () => {
    const lease = await servers.lease({ rotation: { drainTimeoutMs: 200 } })
    const db = await servers.client({ lease })
    await db.author.findMany()
    const running = db.$queryRawUnsafe(servers.slow)
    const [retired] = await Promise.all([
      once(lease, 'retired'),
      lease.rotate(),
      expect(running).rejects.toMatchObject({
        code: 'ERR_CONNECTION_RETIRED',
        meta: { cause: expect.any(ConnectionRetiredError) },
      }),
    ])
    expect(retired).toMatchObject([{ forced: 1 }])
    await db.author.findMany()
    const drops = await servers.engine.drops()
    expect(drops.filter(({ openSessions }) => openSessions > 0)).toEqual([])
  })
})

/** All the ways to write, slowly enough to span a rotation. */
async function everything(db: PrismaClient, lease: LeaseManager, name: string): Promise<void> {
  const { id: authorId } = await db.author.create({
    data: { name, books: { create: [{ title: 'first' }, { title: 'second' }] } },
  })
  await db.$transaction([
    db.book.create({ data: { title: 'third', authorId } }),
    db.book.count({ where: { authorId } }),
  ])
  while (lease.generation < 4) {
    await db.$transaction(async (tx: Prisma.TransactionClient) => {
      await tx.author.update({ where: { id: authorId }, data: { name } })
      await sleep(30)
      await tx.book.findMany({ where: { author: { name } } })
    })
    await db.$queryRaw`select ${authorId}`
  }
  await db.author.update({ where: { name }, data: { books: { create: { title: 'last' } } } })
}
