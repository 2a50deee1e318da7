import { type Clock, deadlineAfter, sleep } from '../resilience/clock.ts'

/** A client whose connections can be counted, and opened one by one. */
export interface CountedClient {
  /** The most connections that it may have to one server. */
  readonly most: number
  /** How many it has, by server, those that somebody waits for among them. */
  connections(): ReadonlyMap<string, number>
  /**
   * Opens one more to a server, and keeps it from everybody until what it resolves with is called.
   *
   * @throws the driver's own error, or the reason of the signal.
   */
  openOne(server: string, signal: AbortSignal): Promise<() => void>
}

/** A client is replaced by another one while its user can still be used. */
export interface HandOver<Client> {
  readonly from: Client
  readonly to: Client
  /** Those before them that still have work. */
  readonly older: readonly Client[]
}

/**
 * Opens as many connections as the client has that is replaced, one after another until `by` (milliseconds on the clock),
 * so that the one that replaces it begins with all that it needs. Never rejects: what it does not open is opened when it is
 * needed.
 */
export async function openInTurn(
  handOver: HandOver<CountedClient>,
  by: number,
  stopped: AbortSignal,
  clock: Clock,
): Promise<void> {
  const limit = deadlineAfter(clock, by - clock.now(), () => new Error('the turns are over'), stopped)
  const opened: (() => void)[] = []
  try {
    for (;;) {
      const servers = missingConnections(handOver)
      const [server] = servers
      if (server === undefined) return
      const gapMs = ((by - clock.now()) / (servers.length + 1)) * (0.5 + Math.random())
      await sleep(clock, gapMs, limit.signal)
      opened.push(await handOver.to.openOne(server, limit.signal))
    }
  } catch {
  } finally {
    limit[Symbol.dispose]()
    for (const release of opened) release()
  }
}

/** The servers to which connections are missing, each as often: with the older ones all are no more than two clients may have. */
function missingConnections({ from, to, older }: HandOver<CountedClient>): string[] {
  const has = to.connections()
  return Array.from(from.connections(), ([server, count]) => {
    const ofOlder = older.reduce((sum, each) => sum + (each.connections().get(server) ?? 0), 0)
    const missing = Math.min(count, to.most - ofOlder) - (has.get(server) ?? 0)
    return Array<string>(Math.max(0, missing)).fill(server)
  }).flat()
}
