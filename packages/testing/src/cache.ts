import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { packageFile } from './package-file.ts'

/**
 * Where downloaded servers are kept: VAULT_LEASE_CACHE, else `.cache` of the workspace that this package is part of, else below
 * the node_modules of the working folder. Never above: whoever may write there would choose what is run.
 */
export function cacheFolder(): string {
  const folder = resolve(
    process.env['VAULT_LEASE_CACHE'] ?? join(ownWorkspace() ?? 'node_modules', '.cache', 'vault-lease'),
  )
  mkdirSync(folder, { recursive: true })
  return folder
}

function ownWorkspace(): string | undefined {
  const root = packageFile('../..')
  return existsSync(join(root, 'pnpm-workspace.yaml')) ? root : undefined
}
