import { existsSync, mkdirSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'

/** Where downloaded servers are kept: VAULT_LEASE_CACHE, else `.cache` of the workspace, else below node_modules. */
export function cacheFolder(): string {
  const folder =
    process.env['VAULT_LEASE_CACHE'] ??
    join(workspaceRoot() ?? resolve('node_modules'), '.cache', 'vault-lease')
  mkdirSync(folder, { recursive: true })
  return folder
}

function workspaceRoot(): string | undefined {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'pnpm-workspace.yaml'))) return folder
    if (folder === dirname(folder)) return undefined
  }
}
