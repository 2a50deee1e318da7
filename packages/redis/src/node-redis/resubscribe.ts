import type { NodeRedisClient } from './driver.ts'

const kinds = [
  ['CHANNELS', 'UNSUBSCRIBE'],
  ['PATTERNS', 'PUNSUBSCRIBE'],
  ['SHARDED', 'SUNSUBSCRIBE'],
] as const

/**
 * How a connection that listens logs in anew where the protocol allows nothing but subscriptions meanwhile: `undefined` where it
 * allows everything. It leaves its channels, logs in and comes back to them in one packet, which the server does before it has an
 * ear for anybody who publishes.
 */
export function resubscribing(
  client: NodeRedisClient,
): ((authenticate: () => Promise<void>) => Promise<void>) | undefined {
  if (!client.isPubSubActive || client.options.RESP === 3) return undefined
  return async (authenticate) => {
    const spoken = kinds
      .map(([kind, leave]) => ({ kind, leave, listeners: client.getPubSubListeners(kind) }))
      .filter(({ listeners }) => listeners.size > 0)
      .map(({ kind, leave, listeners }) => ({ kind, leave, listeners, kept: new Map(listeners) }))
    const answers: Promise<unknown>[] = []
    for (const { leave, listeners, kept } of spoken) {
      // It forgets nobody whom it does not know at this moment.
      listeners.clear()
      answers.push(client[leave]([...kept.keys()], () => {}))
    }
    const authenticated = authenticate()
    for (const { kind, kept } of spoken) answers.push(client.extendPubSubListeners(kind, kept))
    await Promise.all([authenticated, Promise.allSettled(answers)])
  }
}
