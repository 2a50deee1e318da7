const ends = new Set<() => Promise<void>>()

/**
 * Has `end` called when the process has nothing left to do and would end: it goes on until that is done. A process that is told
 * to end, as by `process.exit()` or a signal, does not come by here.
 *
 * @returns The way to forget it.
 */
export function beforeProcessEnds(end: () => Promise<void>): () => void {
  if (ends.size === 0) process.on('beforeExit', callAll)
  ends.add(end)
  return () => {
    ends.delete(end)
    if (ends.size === 0) process.off('beforeExit', callAll)
  }
}

/** One listener for all: Node warns of more than ten. */
function callAll(): void {
  for (const end of ends) end().catch(() => {})
}
