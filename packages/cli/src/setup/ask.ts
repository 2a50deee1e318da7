import { createInterface } from 'node:readline/promises'
import { InvalidOptionError } from '@vault-lease/core'
import type { Change } from './plan.ts'

/**
 * What is left of the changes when somebody was asked about each rotation of a root password.
 *
 * @throws InvalidOptionError when there is nobody to ask.
 */
export async function agreed(changes: readonly Change[]): Promise<readonly Change[]> {
  const paths = changes.filter(({ action }) => action === 'rotate').map(({ wanted }) => wanted.path)
  if (paths.length > 0 && !(process.stdin.isTTY && process.stderr.isTTY))
    throw new InvalidOptionError(
      `The root password of ${paths.join(', ')} would be rotated, and nobody would know it but Vault: give --yes. Nothing was changed.`,
    )
  const refused = new Set<string>()
  for (const path of paths)
    if (!(await ask(`Rotate the root password of ${path}? From then on Vault alone knows it.`)))
      refused.add(path)
  return changes.filter(({ action, wanted }) => action !== 'rotate' || !refused.has(wanted.path))
}

/** Anything but a yes is a no; so is Ctrl-C. */
async function ask(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  const stopped = new AbortController()
  lines.once('SIGINT', () => stopped.abort())
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `, { signal: stopped.signal })).trim())
  } catch (error) {
    if (stopped.signal.aborted) return false
    throw error
  } finally {
    lines.close()
  }
}
