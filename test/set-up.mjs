// Installs the workspace's dependencies when they are missing or older than the lockfile, and generates what is generated. Plain
// JavaScript: nothing is installed yet.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const installed = join(root, 'node_modules', '.modules.yaml')
const { devEngines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const lockfile = join(root, 'pnpm-lock.yaml')

if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(lockfile).mtimeMs) {
  console.error('Installing dependencies with pnpm (once, about a minute) …')
  const { status } = spawnSync(
    'npx',
    [
      '-y',
      `pnpm@${devEngines.packageManager.version}`,
      'install',
      '--frozen-lockfile',
      '--reporter=append-only',
    ],
    {
      cwd: root,
      stdio: ['ignore', 2, 2],
    },
  )
  if (status !== 0) {
    console.error('Installing failed: see the lines above.')
    process.exit(status ?? 1)
  }
}
await import('./prisma-clients.mjs')
