import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { builtByGo } from '../built-by-go.ts'
import { cacheFolder } from '../cache.ts'
import { packageFile } from '../package-file.ts'
import type { VaultApi } from '../vault-api.ts'

const folderName = 'vault-plugins'

/** Where every Vault of ours looks for plugins. */
export function pluginFolder(): string {
  const folder = join(cacheFolder(), folderName)
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Registers HashiCorp's plugin where it is missing: Vault has it built in, OpenBao has not. */
export async function providePlugin(vault: VaultApi, plugin: string): Promise<void> {
  const path = `sys/plugins/catalog/database/${plugin}`
  if ((await vault.call('GET', path)).status === 200) return
  const binary = await builtPlugin(plugin)
  const sha256 = createHash('sha256').update(readFileSync(binary)).digest('hex')
  await vault.must('PUT', path, { sha256, command: basename(binary) })
}

async function builtPlugin(plugin: string): Promise<string> {
  pluginFolder()
  return await builtByGo(join(folderName, plugin), packageFile(plugin))
}
