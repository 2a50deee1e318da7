import type { Place } from './subject.ts'

/** So long a close waits for whoever holds a connection. */
const closeWaitsMs = 5_000

/** As an application has it whose transactions need a connection of their own: so many, lent to one after another. */
export class RedisConnections<Connection> {
  readonly #open: () => Connection
  readonly #max: number
  readonly #timeoutMs: number
  readonly #idle: Connection[] = []
  readonly #queue: ((connection: Connection) => void)[] = []
  readonly #drained = new Set<() => void>()
  readonly all: Connection[] = []

  constructor({ max, acquireTimeoutMs }: Place, open: () => Connection) {
    this.#open = open
    this.#max = max
    this.#timeoutMs = acquireTimeoutMs
  }

  async use<Result>(work: (connection: Connection) => Promise<Result>): Promise<Result> {
    const connection = await this.take()
    try {
      return await work(connection)
    } finally {
      this.give(connection)
    }
  }

  async take(): Promise<Connection> {
    const idle = this.#idle.pop()
    if (idle) return idle
    if (this.all.length < this.#max) {
      const connection = this.#open()
      this.all.push(connection)
      return connection
    }
    return await new Promise((resolve, reject) => {
      const waiting = (connection: Connection): void => {
        clearTimeout(timer)
        resolve(connection)
      }
      const timer = setTimeout(() => {
        this.#queue.splice(this.#queue.indexOf(waiting), 1)
        reject(new Error('no connection in time'))
      }, this.#timeoutMs)
      this.#queue.push(waiting)
    })
  }

  give(connection: Connection): void {
    const next = this.#queue.shift()
    if (next) {
      next(connection)
      return
    }
    this.#idle.push(connection)
    if (this.#idle.length === this.all.length) for (const resolve of this.#drained) resolve()
  }

  /** Resolves once every connection was given back, or after a while. */
  async drained(): Promise<void> {
    if (this.#idle.length === this.all.length) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, closeWaitsMs)
      this.#drained.add(() => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}

const items = 100
const batchSize = 25

/** Which items there are, in parts as SCAN would give them. */
export const batches: readonly (readonly string[])[] = Array.from({ length: items / batchSize }, (_, batch) =>
  Array.from({ length: batchSize }, (_, n) => `item:${batch * batchSize + n + 1}`),
)

export function checkScanned(keys: Iterable<string>): void {
  const { size } = new Set(keys)
  if (size !== items) throw new Error(`SCAN gave ${size} keys`)
}

/** Whose connection it is: the server tells the superuser. */
export async function userOf({ users }: Place, id: unknown): Promise<string> {
  const [answer] =
    (await users?.query<{ reply: string }>(JSON.stringify(['CLIENT', 'LIST', 'ID', String(id)]))) ?? []
  return / user=(\S+)/.exec(answer?.reply ?? '')?.[1] ?? ''
}

let turn = 0

/** In turns. */
export function nextCounter(): string {
  return `hits:${1 + (turn++ % items)}`
}
