import { setMaxListeners } from 'node:events'
import { createHistogram, performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseEngine } from './database-engine.ts'
import type { DatabaseServer } from './database-server.ts'
import type { Drop } from './drops.ts'
import { type SessionSample, watchSessions } from './session-watch.ts'

/** What the hammer hits: one adapter's ways to use the database. */
export interface HammerTarget {
  /** A short query. */
  query(): Promise<unknown>
  /** A transaction that holds its connection for a while. */
  transaction?(holdMs: number): Promise<unknown>
  /** A cursor or stream, read in several parts. */
  stream?(): Promise<unknown>
}

/** How hard the hammer hits, for how long, and who looks on. */
export interface HammerOptions {
  readonly run: HammerTarget
  /** How many operations are under way at once. */
  readonly workers: number
  /** Shares of each kind; default: 70 queries, 20 transactions, 10 streams. Kinds that the target lacks are left out. */
  readonly mix?: { readonly query?: number; readonly transaction?: number; readonly stream?: number }
  /** Milliseconds that a worker thinks between two operations, or what says so each time. Default: 0. */
  readonly thinkMs?: number | (() => number)
  /** Milliseconds, or a promise at whose end the workers stop, those that think among them. */
  readonly until: number | Promise<unknown>
  /** Told of each operation as it ends. */
  readonly onResult?: (result: HammerResult) => void
  /** The server to watch meanwhile; with the engine, the drops of its users too. */
  readonly watch?: { readonly server: DatabaseServer; readonly engine?: DatabaseEngine }
}

/** One operation that has ended. */
export interface HammerResult {
  readonly kind: 'query' | 'transaction' | 'stream'
  readonly latencyMs: number
  /** What was thrown; `undefined` when nothing was. */
  readonly error: unknown
}

/** What the server saw while the hammer hit. */
export interface HammerServerReport {
  /** Sessions of each dynamic user, one sample for each change. */
  readonly sessions: readonly SessionSample[]
  /** The most sessions of dynamic users that were open at once. */
  readonly mostAtOnce: number
  /** The users that Vault dropped meanwhile, each with its sessions that were open at that moment. */
  readonly drops: readonly Drop[]
}

/** What the hammer saw in a tenth of a second. */
export interface HammerBucket {
  /** Milliseconds since the hammer began. */
  readonly atMs: number
  readonly queries: number
  readonly failed: number
  readonly p99Ms: number
}

/** What the hammer saw, and what the server saw if it was watched. */
export interface HammerReport {
  /** Operations that were done, the failed ones among them. */
  readonly queries: number
  readonly failed: number
  /** How many failed, by the error's code, else its name. */
  readonly failures: Readonly<Record<string, number>>
  /** The first error of each kind. */
  readonly firstErrors: Readonly<Record<string, unknown>>
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly tookMs: number
  readonly timeline: readonly HammerBucket[]
  /** Given when `watch` was. */
  readonly server?: HammerServerReport
}

type Kind = HammerResult['kind']

const bucketMs = 100
const microseconds = 1_000

/**
 * Keeps workers busy, one operation after another each, with or without a time to think, and counts every failure. Nothing is tried twice.
 *
 * @example
 * const report = await hammer({ run: { query: () => pool.query('select 1') }, workers: 20, until: 5_000 })
 */
export async function hammer(options: HammerOptions): Promise<HammerReport> {
  if (!options.watch) return await hit(options)
  const { server, engine } = options.watch
  const before = await engine?.drops()
  const watch = await watchSessions(server)
  const report = await hit(options).finally(() => watch.stop())
  const { timeline: sessions, mostAtOnce } = await watch.stop()
  const drops = (await engine?.drops())?.slice(before?.length) ?? []
  return { ...report, server: { sessions, mostAtOnce, drops } }
}

async function hit({ run, workers, mix, thinkMs, until, onResult }: HammerOptions): Promise<HammerReport> {
  const began = performance.now()
  const pick = kindPicker(run, mix)
  const tally = new Tally(began)
  const over = new AbortController()
  // Any number of workers can think at once.
  setMaxListeners(0, over.signal)
  const work = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const kind = pick()
      const start = performance.now()
      let error: unknown
      try {
        await operate(run, kind)
      } catch (failure) {
        error = failure ?? new Error('failed with nothing')
      }
      const latencyMs = performance.now() - start
      tally.add(latencyMs, error)
      onResult?.({ kind, latencyMs, error })
      // An operation that fails at once would keep everything else from happening.
      if (error !== undefined) await new Promise((resolve) => setImmediate(resolve))
      if (thinkMs !== undefined) await think(thinkMs, over.signal)
    }
  }
  const working = Promise.all(Array.from({ length: workers }, work))
  try {
    await (typeof until === 'number' ? new Promise((resolve) => setTimeout(resolve, until)) : until)
  } finally {
    over.abort()
    await working
  }
  return tally.report()
}

async function think(thinkMs: number | (() => number), signal: AbortSignal): Promise<void> {
  const ms = typeof thinkMs === 'number' ? thinkMs : thinkMs()
  await sleep(ms, undefined, { signal }).catch(() => {})
}

function operate(run: HammerTarget, kind: Kind): Promise<unknown> {
  if (kind === 'transaction' && run.transaction) return run.transaction(40 + Math.random() * 10)
  if (kind === 'stream' && run.stream) return run.stream()
  return run.query()
}

function kindPicker(
  run: HammerTarget,
  { query = 70, transaction = 20, stream = 10 }: HammerOptions['mix'] = {},
): () => Kind {
  const transactions = run.transaction ? transaction : 0
  const streams = run.stream ? stream : 0
  const total = query + transactions + streams
  return () => {
    const drawn = Math.random() * total
    if (drawn < transactions) return 'transaction'
    return drawn < transactions + streams ? 'stream' : 'query'
  }
}

/** Counts. */
class Tally {
  readonly #began: number
  readonly #all = createHistogram()
  readonly #failures: Record<string, number> = {}
  readonly #firstErrors: Record<string, unknown> = {}
  readonly #timeline: HammerBucket[] = []
  #bucket = { index: 0, queries: 0, failed: 0, histogram: createHistogram() }
  #queries = 0
  #failed = 0

  constructor(began: number) {
    this.#began = began
  }

  add(latencyMs: number, error: unknown): void {
    const index = Math.floor((performance.now() - this.#began) / bucketMs)
    if (index !== this.#bucket.index) this.#closeBucket(index)
    const recorded = Math.max(1, Math.round(latencyMs * microseconds))
    this.#all.record(recorded)
    this.#bucket.histogram.record(recorded)
    this.#queries++
    this.#bucket.queries++
    if (error !== undefined) this.#addFailure(error)
  }

  report(): HammerReport {
    this.#closeBucket(this.#bucket.index + 1)
    return {
      queries: this.#queries,
      failed: this.#failed,
      failures: this.#failures,
      firstErrors: this.#firstErrors,
      p50Ms: this.#all.percentile(50) / microseconds,
      p99Ms: this.#all.percentile(99) / microseconds,
      maxMs: this.#all.max / microseconds,
      tookMs: performance.now() - this.#began,
      timeline: this.#timeline,
    }
  }

  #addFailure(error: unknown): void {
    const name = nameOf(error)
    this.#failed++
    this.#bucket.failed++
    this.#failures[name] = (this.#failures[name] ?? 0) + 1
    this.#firstErrors[name] ??= error
  }

  #closeBucket(next: number): void {
    const { index, queries, failed, histogram } = this.#bucket
    if (queries > 0) {
      const p99Ms = histogram.percentile(99) / microseconds
      this.#timeline.push({ atMs: index * bucketMs, queries, failed, p99Ms })
    }
    this.#bucket = { index: next, queries: 0, failed: 0, histogram: createHistogram() }
  }
}

function nameOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code !== undefined) return String(error.code)
  return error instanceof Error ? error.name : String(error)
}
