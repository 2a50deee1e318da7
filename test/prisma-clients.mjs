// Generates the Prisma clients of the workspace that are missing or older than their schema.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

for (const schema of ['examples', 'packages', 'test'].flatMap(prismaSchemasBelow)) generateClient(schema)

/** @returns {string[]} */
function prismaSchemasBelow(folder) {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : prismaSchemasBelow(path)
    return entry.name.endsWith('.prisma') ? [path] : []
  })
}

function generateClient(path) {
  const schema = join(root, path)
  const manifest = createRequire(schema).resolve('prisma/package.json')
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'))
  const [, output] = /^\s*output\s*=\s*"(.+)"/m.exec(readFileSync(schema, 'utf8')) ?? []
  if (!output) throw new Error(`${path} names no output`)
  const generated = join(resolve(dirname(schema), output), 'internal', 'class.ts')
  if (isCurrent(generated, schema) && readFileSync(generated, 'utf8').includes(version)) return
  console.error(`Generating the Prisma client of ${path} …`)
  const cli = join(dirname(manifest), 'build', 'index.js')
  // Generating does not use the engines (Prisma 6 has two); without a path to one Prisma would download it.
  const unused = process.execPath
  const env = { PRISMA_SCHEMA_ENGINE_BINARY: unused, PRISMA_QUERY_ENGINE_LIBRARY: unused, ...process.env }
  const command = [cli, 'generate', '--schema', schema, '--no-hints']
  const { status } = spawnSync(process.execPath, command, { cwd: root, env, stdio: ['ignore', 2, 2] })
  if (status === 0) return
  console.error('Generating failed: see the lines above.')
  process.exit(status ?? 1)
}

function isCurrent(file, source) {
  return existsSync(file) && statSync(file).mtimeMs >= statSync(source).mtimeMs
}
