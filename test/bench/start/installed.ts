import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What is installed. */
export interface Installed {
  readonly packages: number
  readonly bytes: number
}

/** What npm takes into a package whatever its `files` says. */
const always = ['package.json', 'README.md', 'LICENSE']

const here = dirname(fileURLToPath(import.meta.url))

/** What installing a package adds to an application that has the drivers already: each package once. */
export function installedBeside(name: string, drivers: readonly string[], from: string = here): Installed {
  const before = new Set<string>()
  for (const driver of drivers) collect(driver, from, before)
  const all = new Set(before)
  collect(name, from, all)
  const added = [...all].filter((folder) => !before.has(folder))
  return { packages: added.length, bytes: added.reduce((sum, folder) => sum + packedBytes(folder), 0) }
}

/** The folders of a package and of what it depends on. */
function collect(name: string, from: string, folders: Set<string>): void {
  const folder = folderOf(name, from)
  if (folder === undefined || folders.has(folder)) return
  folders.add(folder)
  const { dependencies = {}, optionalDependencies = {} } = manifestOf(folder)
  for (const each of Object.keys({ ...dependencies, ...optionalDependencies })) collect(each, folder, folders)
}

/** As node looks for it. An optional one may not be there. */
function folderOf(name: string, from: string): string | undefined {
  const folder = join(from, 'node_modules', name)
  if (existsSync(folder)) return realpathSync(folder)
  const parent = dirname(from)
  return parent === from ? undefined : folderOf(name, parent)
}

interface Manifest {
  readonly files?: readonly string[]
  readonly dependencies?: object
  readonly optionalDependencies?: object
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/** A package of this workspace has more in its folder than is published. */
function packedBytes(folder: string): number {
  const { files } = manifestOf(folder)
  const isInstalled = folder.includes('node_modules')
  if (isInstalled || !files) return bytesIn(folder)
  const published = [...files, ...always].map((name) => join(folder, name))
  return published.filter((path) => existsSync(path)).reduce((sum, path) => sum + bytesIn(path), 0)
}

function bytesIn(path: string): number {
  if (!statSync(path).isDirectory()) return statSync(path).size
  return readdirSync(path)
    .filter((name) => name !== 'node_modules')
    .reduce((sum, name) => sum + bytesIn(join(path, name)), 0)
}
