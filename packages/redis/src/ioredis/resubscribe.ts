import type { IoredisClient } from './driver.ts'

const kinds = [
  ['subscribe', 'unsubscribe'],
  ['psubscribe', 'punsubscribe'],
  ['ssubscribe', 'sunsubscribe'],
] as const

/**
 * How a connection that listens logs in anew where the protocol allows nothing but subscriptions meanwhile: `undefined` where it
 * allows everything. It leaves its channels, logs in and comes back to them in one packet, which the server does before it has an
 * ear for anybody who publishes.
 */
export function resubscribing(
  redis: IoredisClient,
): ((authenticate: () => Promise<void>) => Promise<void>) | undefined {
  const { condition, stream } = redis
  if (!condition?.subscriber || condition.protocol === 3 || !stream) return undefined
  const { subscriber } = condition
  return async (authenticate) => {
    const listening = kinds.map(([add, leave]) => ({ add, leave, channels: subscriber.channels(add) }))
    const spoken = listening.filter(({ channels }) => channels.length > 0)
    const answers: Promise<unknown>[] = []
    stream.cork()
    for (const { leave, channels } of spoken) answers.push(redis[leave](...channels))
    // The driver would not send it.
    condition.subscriber = false
    const authenticated = authenticate()
    condition.subscriber = subscriber
    for (const { add, channels } of spoken) answers.push(redis[add](...channels))
    stream.uncork()
    await Promise.all([authenticated, Promise.allSettled(answers)])
  }
}
