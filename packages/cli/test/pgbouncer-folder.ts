import { chownSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const nobody = 65_534

/** A folder of ours; of another user's when we are root, as whom PgBouncer does not run. */
export function folderOfNobody(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pgbouncer-'))
  if (process.getuid?.() === 0) chownSync(folder, nobody, nobody)
  return folder
}
