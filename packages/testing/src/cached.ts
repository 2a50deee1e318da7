import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cacheFolder } from './cache.ts'
import { withLock } from './lock.ts'
import { ServerUnavailableError } from './server-unavailable.ts'

const underWay = new Map<string, Promise<string>>()

/** Where the cache has it, made once for all processes that share the cache. */
export function cached(name: string, make: (path: string) => Promise<unknown>): Promise<string> {
  const found = underWay.get(name) ?? cachedOnce(name, make)
  underWay.set(name, found)
  return found
}

/** Complete or absent: what is half there has another name. */
async function cachedOnce(name: string, make: (path: string) => Promise<unknown>): Promise<string> {
  const target = join(cacheFolder(), name)
  if (existsSync(target)) return target
  await withLock(`${target}.lock`, async () => {
    if (!existsSync(target)) await makeAt(target, name, make)
  })
  return target
}

async function makeAt(target: string, name: string, make: (path: string) => Promise<unknown>): Promise<void> {
  console.error(`Getting ${name} (once) …`)
  const scratch = mkdtempSync(`${target}.`)
  try {
    const made = join(scratch, 'made')
    await make(made)
    chmodSync(made, 0o755)
    renameSync(made, target)
  } catch (cause) {
    throw new ServerUnavailableError(`${name} could not be had: ${String(cause)}`, { cause })
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}
