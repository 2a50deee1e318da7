import { performance } from 'node:perf_hooks'
import { tell } from './terminal.ts'

const everyMs = 10_000

/** Says what is done, and from time to time that it still is. */
export async function withProgress<T>(what: string, doing: Promise<T>): Promise<T> {
  tell(`${what} …`)
  const began = performance.now()
  const saying = setInterval(
    () => tell(`… ${Math.round((performance.now() - began) / 1_000)} s`),
    everyMs,
  ).unref()
  try {
    return await doing
  } finally {
    clearInterval(saying)
  }
}
