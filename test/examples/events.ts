import { once } from 'node:events'
import { get } from 'node:http'
import { createInterface } from 'node:readline'

/** What a service has told by server-sent events. */
export interface EventsSeen {
  /** The data of each event of that type, in order. */
  of(type: string): string[]
  /** Resolves once the service has ended its answer. */
  readonly ended: Promise<void>
}

/** Listens from now on. */
export async function listenTo(url: string): Promise<EventsSeen> {
  const [answer] = await once(get(url), 'response')
  if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}`)
  const seen: { type: string; data: string }[] = []
  const read = async (): Promise<void> => {
    let type = 'message'
    for await (const line of createInterface({ input: answer })) {
      const [, field, value = ''] = /^(\w+): (.*)$/.exec(line) ?? []
      if (field === 'event') type = value
      if (field === 'data') seen.push({ type, data: value })
    }
  }
  const ended = read()
  // Whoever awaits it is told all the same.
  ended.catch(() => {})
  return {
    of: (wanted) => seen.filter(({ type }) => type === wanted).map(({ data }) => data),
    ended,
  }
}
