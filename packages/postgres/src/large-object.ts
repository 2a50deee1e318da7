import type { Readable } from 'node:stream'
import type { LargeObject, TransactionSql } from 'postgres'
import { connectionClosed, type Session } from './session.ts'

/** What the driver does with an object, in a transaction that ends when the object is closed. */
export type WorkOnObject = (scope: TransactionSql) => Promise<unknown>

/**
 * Ends the transaction of an object when its connection is lost, too: the driver would wait for ever to have the object closed. What
 * is asked of the object then fails, and does not go to whoever has the connection's place.
 */
export function endingWhenLost(
  work: WorkOnObject,
  sessionOf: (scope: unknown) => Session | undefined,
): WorkOnObject {
  return async (scope) => {
    const session = sessionOf(scope)
    const ask = async (...query: Parameters<TransactionSql>): Promise<unknown> => {
      if (session?.reason) throw session.reason()
      return await scope(...query)
    }
    const lost = session?.wire?.closed.then(() => {
      throw session.reason?.() ?? connectionClosed()
    })
    return await Promise.race([
      work(Object.assign(ask, scope) as unknown as TransactionSql),
      ...(lost ? [lost] : []),
    ])
  }
}

/** Has a stream of the object fail with what it reads: the driver leaves that to nobody, which would end the process. */
export function readingSafely(object: LargeObject): LargeObject {
  const { readable } = object
  return Object.assign(object, {
    async readable(options: Parameters<LargeObject['readable']>[0]): Promise<Readable> {
      const stream = await readable(options)
      const { _read: read } = stream
      stream._read = async (size) => {
        try {
          await read.call(stream, size)
        } catch (error) {
          stream.destroy(error as Error)
        }
      }
      return stream
    },
  })
}
