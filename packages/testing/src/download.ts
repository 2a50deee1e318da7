import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { cacheFolder } from './cache.ts'
import { withLock } from './lock.ts'

/** A server cannot be had on this machine. The message says how to get it. */
export class ServerUnavailableError extends Error {
  override readonly name = 'ServerUnavailableError'
}

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

const underWay = new Map<string, Promise<string>>()

/** The folder with what was downloaded, once for all processes that share the cache. */
export function downloaded(download: Download): Promise<string> {
  const found = underWay.get(download.name) ?? downloadOnce(download)
  underWay.set(download.name, found)
  return found
}

/** Complete or absent: what is half there has another name. */
async function downloadOnce(download: Download): Promise<string> {
  const target = join(cacheFolder(), `${download.name}-${download.version}-${platform}`)
  if (existsSync(target)) return target
  const hash = download.hashes[platform]
  if (!hash) throw new ServerUnavailableError(`There is no ${download.name} to download for ${platform}.`)
  await withLock(`${target}.lock`, async () => {
    if (!existsSync(target)) await downloadTo(target, download, hash)
  })
  return target
}

async function downloadTo(target: string, download: Download, hash: string): Promise<void> {
  console.error(`Downloading ${download.name} ${download.version} (once) …`)
  const scratch = mkdtempSync(`${target}.`)
  try {
    const archives = join(scratch, 'archives')
    const content = join(scratch, 'content')
    mkdirSync(archives)
    mkdirSync(content)
    await download.fetch(archives, platform)
    const archive = join(archives, readdirSync(archives)[0] ?? '')
    checkHash(archive, hash)
    await download.unpack(archive, content)
    chmodSync(content, 0o755)
    renameSync(content, target)
  } catch (cause) {
    throw new ServerUnavailableError(
      `${download.name} ${download.version} could not be downloaded: ${String(cause)}`,
      { cause },
    )
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function checkHash(archive: string, expected: string): void {
  const [algorithm = '', digest] = expected.split(/-(.*)/s)
  const actual = createHash(algorithm).update(readFileSync(archive)).digest('base64')
  if (actual !== digest) throw new Error(`${basename(archive)} has another hash than the pinned one`)
}
