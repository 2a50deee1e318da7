import { queryObjects } from 'node:v8'

const anyTimer = setTimeout(() => {}, 0)
const Timeout = anyTimer.constructor
clearTimeout(anyTimer)

/** How many timers there are, also those that do not keep the process alive. Collects the heap first. */
export function countTimers(): number {
  return queryObjects(Timeout, { format: 'count' })
}

/** Node warns that counting is experimental. */
export function isOfCounting({ message }: Error): boolean {
  return message.startsWith('v8.queryObjects')
}
