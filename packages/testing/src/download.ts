import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { cached } from './cached.ts'
import { contentHash } from './content-hash.ts'
import { ServerUnavailableError } from './server-unavailable.ts'

interface Hashes {
  /** SHA-512 or SHA-256 of the archive, as the registry states it. */
  readonly archive: string
  /** Of what is unpacked from it, as `contentHash()` has it. */
  readonly content: string
}

/** A server at a pinned version, with its hashes. */
export interface Download {
  readonly name: string
  readonly version: string
  /** For each platform. */
  readonly hashes: Readonly<Record<string, Hashes>>
  /** Brings the archive into a folder through the registry's ordinary client. */
  fetch(folder: string, platform: string): Promise<unknown>
  unpack(archive: string, into: string): Promise<unknown>
}

/** As in the names of the archives. */
export const platform: string = `${process.platform}-${process.arch}`

/**
 * The folder with what was downloaded, once for all processes that share the cache. Nothing in it is run before it was looked at:
 * others may have written there.
 *
 * @throws Error when it is not, or no longer, what was pinned.
 */
export async function downloaded({ name, version, hashes, fetch, unpack }: Download): Promise<string> {
  const expected = hashes[platform]
  if (!expected) throw new ServerUnavailableError(`There is no ${name} to download for ${platform}.`)
  const folder = await cached(`${name}-${version}-${platform}`, async (content) => {
    mkdirSync(content)
    const archives = mkdtempSync(`${content}.`)
    await fetch(archives, platform)
    const archive = join(archives, readdirSync(archives)[0] ?? '')
    checkHash(archive, expected.archive)
    await unpack(archive, content)
  })
  if (contentHash(folder) === expected.content) return folder
  throw new Error(`${folder} is not what was downloaded: look who has changed it, remove it and try again.`)
}

function checkHash(archive: string, expected: string): void {
  const [algorithm = '', digest] = expected.split(/-(.*)/s)
  const actual = createHash(algorithm).update(readFileSync(archive)).digest('base64')
  if (actual !== digest) throw new Error(`${basename(archive)} has another hash than the pinned one`)
}
