import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { vaultLeaseErrorOf } from '@vault-lease/prisma'
import type { Prisma, PrismaClient } from '../generated/prisma-postgresql/client.ts'
import type { HeldOpen, Place, Subject } from './subject.ts'

/** What differs between databases. */
interface Dialect {
  /** The expression for the name that the session logged in with. */
  readonly sessionUser: string
  readonly inspectables: readonly unknown[]
}

const rowsAtOnce = 25

export function transactionOptions({ acquireTimeoutMs }: Place): { maxWait: number; timeout: number } {
  return { maxWait: acquireTimeoutMs, timeout: 60_000 }
}

export function prismaSubjectOn(db: PrismaClient, { sessionUser, inspectables }: Dialect): Subject {
  const underWay = new Set<Promise<unknown>>()
  /** Prisma rolls back what is open when it disconnects: as an application does, let it finish first. */
  const finished = async <Result>(work: Promise<Result>): Promise<Result> => {
    underWay.add(work)
    return await work
      .catch((error: unknown) => Promise.reject(vaultLeaseErrorOf(error) ?? error))
      .finally(() => underWay.delete(work))
  }
  const userOfRow = async (tx: Prisma.TransactionClient, row: number): Promise<string> => {
    const rows = await tx.$queryRawUnsafe<{ user: string }[]>(
      `select ${sessionUser} as user from items order by id limit 1 offset ${row}`,
    )
    return rows[0]?.user ?? ''
  }
  return {
    query: () => finished(db.item.findMany({ select: { name: true }, where: { id: 1 } })),
    transaction: (holdMs) =>
      finished(
        db.$transaction(async (tx) => {
          await tx.item.count()
          await sleep(holdMs)
          await tx.item.update({ where: { id: anyId() }, data: { hits: { increment: 1 } } })
        }),
      ),
    stream: () => finished(db.$transaction(readByPages)),
    deniedQuery: () => finished(db.$queryRaw`select * from private.forbidden`),
    openTransaction: () => heldOpen(db, (tx) => userOfRow(tx, 0)),
    openCursor() {
      let row = 0
      return heldOpen(db, (tx) => userOfRow(tx, row++))
    },
    // All that there is below a client would be 80 MB of text, and the lease would end meanwhile.
    inspectables: () => [inspect(db, { depth: 4 }), ...inspectables],
    async close() {
      await Promise.allSettled(underWay)
      await db.$disconnect()
    },
  }
}

/** Prisma has no cursors that stay open: reading on needs a transaction. */
async function readByPages(tx: Prisma.TransactionClient): Promise<void> {
  let rows = 0
  for (;;) {
    const page = await tx.item.findMany({ orderBy: { id: 'asc' }, skip: rows, take: rowsAtOnce })
    if (page.length === 0) break
    rows += page.length
    await sleep(5)
  }
  if (rows !== 100) throw new Error(`the pages gave ${rows} rows`)
}

/** An interactive transaction that ends when it is told to. */
function heldOpen(
  db: PrismaClient,
  step: (tx: Prisma.TransactionClient) => Promise<string>,
): Promise<HeldOpen> {
  return new Promise((opened, failed) => {
    const ended = db.$transaction(
      (tx) =>
        new Promise<void>((end) => {
          opened({
            step: () => step(tx),
            async finish() {
              end()
              await ended
            },
          })
        }),
    )
    ended.catch(failed)
  })
}

function anyId(): number {
  return 1 + Math.floor(Math.random() * 100)
}
