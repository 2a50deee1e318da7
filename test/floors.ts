// npm run test:floors: the contract in a copy of the workspace that has the oldest drivers which our packages declare.
import { spawnSync } from 'node:child_process'
import { appendFileSync, cpSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const copy = join(root, '.cache', 'floors')

/** What the oldest drivers allow of what they are made of. */
const beneath = { 'pg-pool': '3.6.0', tarn: '3.0.2' }
const floors = { pg: floorOf('pg', 'pg'), knex: floorOf('knex', 'knex'), ...beneath }

console.log(
  `The contract over ${Object.entries(floors)
    .map((floor) => floor.join(' '))
    .join(', ')}:`,
)
rmSync(copy, { recursive: true, force: true })
for (const part of [
  'package.json',
  'pnpm-workspace.yaml',
  'vitest.config.ts',
  'tsconfig.json',
  'packages',
  'test',
]) {
  cpSync(join(root, part), join(copy, part), { recursive: true, filter: isSource })
}
const overrides = Object.entries(floors).map(([name, version]) => `  ${name}: ${version}\n`)
appendFileSync(join(copy, 'pnpm-workspace.yaml'), `overrides:\n${overrides.join('')}`)
run('npx', '-y', 'pnpm@12', 'install', '--no-frozen-lockfile', '--reporter=silent')
const contract = join(copy, 'test')
assertLoads(join(copy, 'packages', 'pg'), 'pg', 'pg-pool')
assertLoads(join(copy, 'packages', 'knex'), 'knex', 'pg')
assertLoads(contract, 'knex', 'pg')
assertLoads(contract, 'knex', 'tarn')
assertLoads(contract, 'pg', 'pg-pool')
run(process.execPath, 'node_modules/vitest/vitest.mjs', 'run', 'test/contract')

/** What a folder loads by a package's name, and what that package loads by the next one, are the floors. */
function assertLoads(folder: string, ...names: (keyof typeof floors)[]): void {
  let from = join(folder, 'package.json')
  for (const name of names) {
    from = createRequire(from).resolve(`${name}/package.json`)
    const { version } = manifest(dirname(from))
    if (version !== floors[name])
      throw new Error(`${folder} loads ${name} ${version} by ${names.join(' > ')}`)
  }
}

function floorOf(folder: string, peer: string): string {
  const range = manifest(join(root, 'packages', folder)).peerDependencies?.[peer] ?? ''
  if (!/^\^\d+\.\d+\.\d+$/.test(range)) throw new Error(`packages/${folder} declares ${peer} "${range}"`)
  return range.slice(1)
}

function manifest(folder: string): { version: string; peerDependencies?: Record<string, string> } {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

function isSource(path: string): boolean {
  return !['node_modules', 'dist', '.turbo'].includes(basename(path))
}

function run(command: string, ...args: string[]): void {
  const env = { VAULT_LEASE_CACHE: join(root, '.cache', 'vault-lease'), ...process.env }
  const { status } = spawnSync(command, args, { cwd: copy, stdio: 'inherit', env })
  if (status !== 0) process.exit(status ?? 1)
}
