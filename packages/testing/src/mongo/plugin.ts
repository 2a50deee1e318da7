import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { cacheFolder } from '../cache.ts'
import { cached } from '../cached.ts'
import { platform } from '../download.ts'
import { fingerprint } from '../fingerprint.ts'
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
  const source = packageFile(plugin)
  const hash = fingerprint(...['main.go', 'go.mod', 'go.sum'].map((file) => join(source, file)))
  pluginFolder()
  return await cached(join(folderName, `${plugin}-${platform}-${hash}`), async (made) => {
    const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '-buildvcs=false' }
    const building = promisify(execFile)('go', ['build', '-trimpath', '-o', made, '.'], { cwd: source, env })
    await building.catch((cause: unknown) => {
      throw new Error(`it is built with go, 1.25.7 or newer, on the PATH: ${String(cause)}`, { cause })
    })
  })
}
