import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { cached } from './cached.ts'
import { ServerUnavailableError } from './server-unavailable.ts'

/** A server at a pinned version, with the hash of its archive. */
export interface Download {
  readonly name: string
  readonly version: string
  /** SHA-512 or SHA-256 of the archive for each platform, as the registry states it. */
  readonly hashes: Readonly<Record<string, string>>
  /** Brings the archive into a folder through the registry's ordinary client. */
  fetch(folder: string, platform: string): Promise<unknown>
  unpack(archive: string, into: string): Promise<unknown>
}

/** As in the names of the archives. */
export const platform: string = `${process.platform}-${process.arch}`

/** The folder with what was downloaded, once for all processes that share the cache. */
export async function downloaded({ name, version, hashes, fetch, unpack }: Download): Promise<string> {
  const hash = hashes[platform]
  if (!hash) throw new ServerUnavailableError(`There is no ${name} to download for ${platform}.`)
  return await cached(`${name}-${version}-${platform}`, async (content) => {
    mkdirSync(content)
    const archives = mkdtempSync(`${content}.`)
    await fetch(archives, platform)
    const archive = join(archives, readdirSync(archives)[0] ?? '')
    checkHash(archive, hash)
    await unpack(archive, content)
  })
}

function checkHash(archive: string, expected: string): void {
  const [algorithm = '', digest] = expected.split(/-(.*)/s)
  const actual = createHash(algorithm).update(readFileSync(archive)).digest('base64')
  if (actual !== digest) throw new Error(`${basename(archive)} has another hash than the pinned one`)
}
