import { createHash } from 'node:crypto'
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/** SHA-256 of everything in a folder: paths, contents and where links lead, as `sha256-` and Base64. */
export function contentHash(folder: string): string {
  const hash = createHash('sha256')
  for (const name of readdirSync(folder, { recursive: true }).map(String).sort()) {
    const path = join(folder, name)
    const stats = lstatSync(path)
    if (stats.isDirectory()) continue
    const content = stats.isSymbolicLink() ? readlinkSync(path) : readFileSync(path)
    // With its length, so that no content can look like another file.
    hash.update(`${name}\0${stats.isSymbolicLink() ? 'link' : 'file'} ${content.length}\0`).update(content)
  }
  return `sha256-${hash.digest('base64')}`
}
