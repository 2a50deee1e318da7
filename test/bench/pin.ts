import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'

const cores = { servers: '0', client: '1' } as const

/**
 * Keeps this process, and those that it starts, on a core of its own, so that servers and clients do not take turns on one.
 * Returns whether that can be had: there is `taskset`, and more than one core.
 */
export function pinTo(part: keyof typeof cores): boolean {
  if (cpus().length < 2) return false
  try {
    execFileSync('taskset', ['-apc', cores[part], `${process.pid}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
