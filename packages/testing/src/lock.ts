import { lstatSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Longer than a download takes. */
const staleAfterMs = 600_000

/** Runs while no other process holds the lock. Whoever died holding it, holds it no more. */
export async function withLock<T>(path: string, run: () => Promise<T>): Promise<T> {
  while (!taken(path)) {
    if (isStale(path)) rmSync(path, { force: true })
    else await sleep(50)
  }
  try {
    return await run()
  } finally {
    rmSync(path, { force: true })
  }
}

/** A link is made in one step together with what it holds: our process id. */
function taken(path: string): boolean {
  try {
    symlinkSync(String(process.pid), path)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

function isStale(path: string): boolean {
  try {
    if (Date.now() - lstatSync(path).mtimeMs > staleAfterMs) return true
    process.kill(Number(readlinkSync(path)), 0)
    return false
  } catch (error) {
    return hasCode(error, 'ESRCH')
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
