// Installs the workspace's dependencies when they are missing or older than the lockfile, and generates the Prisma clients that
// are missing or older than their schema. Plain JavaScript: nothing is installed yet.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const installed = join(root, 'node_modules', '.modules.yaml')
const lockfile = join(root, 'pnpm-lock.yaml')

if (!existsSync(installed) || isOlder(installed, lockfile)) {
  console.error('Installing dependencies with pnpm (once, about a minute) …')
  run('Installing', 'npx', ['-y', 'pnpm@12', 'install', '--frozen-lockfile', '--reporter=append-only'])
}
for (const schema of ['examples', 'packages', 'test'].flatMap(prismaSchemasBelow)) generateClient(schema)

/** @returns {string[]} */
function prismaSchemasBelow(folder) {
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
  if (
    existsSync(generated) &&
    !isOlder(generated, schema) &&
    readFileSync(generated, 'utf8').includes(version)
  )
    return
  console.error(`Generating the Prisma client of ${path} …`)
  const cli = join(dirname(manifest), 'build', 'index.js')
  // Generating does not use the schema engine; without a path to one Prisma would download it.
  const env = { PRISMA_SCHEMA_ENGINE_BINARY: process.execPath, ...process.env }
  run('Generating', process.execPath, [cli, 'generate', '--schema', schema, '--no-hints'], env)
}

function isOlder(file, other) {
  return statSync(file).mtimeMs < statSync(other).mtimeMs
}

function run(what, command, args, env = process.env) {
  const { status } = spawnSync(command, args, { cwd: root, env, stdio: ['ignore', 2, 2] })
  if (status === 0) return
  console.error(`${what} failed: see the lines above.`)
  process.exit(status ?? 1)
}
