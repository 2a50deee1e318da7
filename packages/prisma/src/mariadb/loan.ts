import type { Connection, PoolConnection } from 'mariadb'

/** What happens to a connection while somebody has it. */
export interface LoanHooks {
  /** Something that the holder asked for failed. */
  onError(error: unknown): void
  /** The holder has given the connection back. */
  onReturn(): Promise<void>
}

/** What a holder listens to; not all of them stop when they give the connection back. */
type Listening = Parameters<Connection['removeListener']>

/** A connection in the hands of one holder. */
export interface Loan {
  /** For the holder: the driver's connection, which can be given back once. */
  readonly connection: PoolConnection
  /** From now on everything that the holder asks for fails, and what it waits for. Says whether it waits for anything. */
  recall(reason: () => Error): boolean
}

export function lend(connection: Connection, { onError, onReturn }: LoanHooks): Loan {
  const waiting = new Set<(error: Error) => void>()
  const listeners: Listening[] = []
  let refusal: (() => Error) | undefined
  let returned: Promise<void> | undefined
  const release = (): Promise<void> => {
    for (const listening of listeners.splice(0)) connection.removeListener(...listening)
    returned ??= onReturn()
    return returned
  }
  const answer = (asked: Promise<unknown>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (refusal) reject(refusal())
      waiting.add(reject)
      asked
        .catch((error: unknown) => {
          onError(error)
          throw error
        })
        .then(resolve, reject)
        .finally(() => waiting.delete(reject))
    })
  const lent = new Proxy(connection, {
    get(_target, key) {
      if (key === 'release' || key === 'end') return release
      const member: unknown = Reflect.get(connection, key)
      if (typeof member !== 'function') return member
      return (...args: readonly unknown[]) => {
        if (key === 'on') listeners.push(args as Listening)
        const result: unknown = Reflect.apply(member, connection, args)
        return result instanceof Promise ? answer(result) : result
      }
    },
  })
  return {
    connection: lent as PoolConnection,
    recall(reason) {
      refusal = reason
      const busy = waiting.size > 0
      for (const reject of waiting) reject(reason())
      return busy
    },
  }
}
