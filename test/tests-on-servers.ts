import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const testFolders = ['packages', 'examples', 'test']

/** The test files below the root that use real servers, themselves or through a file of ours that they name. */
export function testsOnServers(root: string): string[] {
  return testFolders
    .flatMap((folder) => filesBelow(join(root, folder)))
    .filter((file) => file.endsWith('.test.ts') && usesServers(file))
    .map((file) => relative(root, file))
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory())
      return entry.name === 'node_modules' || entry.name === 'dist' ? [] : filesBelow(path)
    return entry.isFile() ? [path] : []
  })
}

function usesServers(file: string, seen: Set<string> = new Set()): boolean {
  if (seen.has(file) || !existsSync(file)) return false
  seen.add(file)
  const text = readFileSync(file, 'utf8')
  if (text.includes('@vault-lease/testing') || file.includes('packages/testing/src')) return true
  const named = Array.from(text.matchAll(/'(\.{1,2}\/[^']*\.ts)'/g), ([, path = '']) => path)
  return named.some((path) => usesServers(resolve(dirname(file), path), seen))
}
