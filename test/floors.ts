// npm run test:floors: the contract in a copy of the workspace that has the oldest drivers which our packages declare.
import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  cpSync,
  existsSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { devEngines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const copy = join(root, '.cache', 'floors')

/** What the oldest drivers allow of what they are made of. */
const beneath = { 'pg-pool': '3.6.0', tarn: '3.0.2' }
const prisma = floorOf('prisma', '@prisma/adapter-pg')
const floors = {
  pg: floorOf('pg', 'pg'),
  postgres: floorOf('postgres', 'postgres'),
  mysql2: floorOf('mysql2', 'mysql2'),
  mongodb: floorOf('mongodb', 'mongodb'),
  mongoose: floorOf('mongoose', 'mongoose'),
  ioredis: floorOf('redis', 'ioredis'),
  redis: floorOf('redis', 'redis'),
  knex: floorOf('knex', 'knex'),
  typeorm: floorOf('typeorm', 'typeorm'),
  sequelize: floorOf('sequelize', 'sequelize'),
  prisma,
  '@prisma/client': prisma,
  '@prisma/adapter-pg': prisma,
  '@prisma/adapter-mariadb': floorOf('prisma', '@prisma/adapter-mariadb'),
  'prom-client': floorOf('metrics', 'prom-client'),
  '@opentelemetry/api': floorOf('metrics', '@opentelemetry/api'),
  '@aws-sdk/rds-signer': floorOf('iam', '@aws-sdk/rds-signer'),
  '@azure/identity': floorOf('iam', '@azure/identity'),
  'google-auth-library': floorOf('iam', 'google-auth-library'),
  ...beneath,
}

/** TypeORM before 1.0 works with MongoDB drivers of before only. */
const onMongodb = {
  contract: contractOf('typeorm-mongodb'),
  floors: { ...floors, typeorm: '1.0.0' },
}

/** MikroORM brings knex and its drivers, in one version each, and does not work over older ones. */
const ofMikroOrm = {
  contracts: ['mikro-orm', 'mikro-orm-mysql', 'mikro-orm-mariadb'].map(contractOf),
  floors: Object.fromEntries(
    ['core', 'knex', 'postgresql', 'mysql', 'mariadb', 'migrations', 'cli'].map((name) => [
      `@mikro-orm/${name}`,
      floorOf('mikro-orm', '@mikro-orm/core'),
    ]),
  ),
}

const contract = join(copy, 'test')
const asked = process.argv.slice(2)
const apart = [onMongodb.contract, ...ofMikroOrm.contracts]
const others = asked.filter((file) => !apart.includes(file))
const all = ['test/contract', 'packages/metrics/test', 'packages/iam/test']
if (asked.length === 0)
  runContracts(floors, assertOldest, ...all, ...apart.flatMap((file) => ['--exclude', file]))
else if (others.length > 0) runContracts(floors, assertOldest, ...others)
if (asked.length === 0 || asked.includes(onMongodb.contract))
  runContracts(onMongodb.floors, assertOldest, onMongodb.contract)
const mikroOrms = ofMikroOrm.contracts.filter((file) => asked.length === 0 || asked.includes(file))
if (mikroOrms.length > 0) runContracts(ofMikroOrm.floors, assertOldestMikroOrm, ...mikroOrms)

function contractOf(adapter: string): string {
  return `test/contract/${adapter}.test.ts`
}

function runContracts<Versions extends Readonly<Record<string, string>>>(
  versions: Versions,
  assertInstalled: (versions: Versions) => void,
  ...contracts: string[]
): void {
  const named = Object.entries(versions).map((version) => version.join(' '))
  console.log(`The contract over ${named.join(', ')}:`)
  install(versions)
  assertInstalled(versions)
  if ('prisma' in versions) writeSchemasForPrisma6()
  run(process.execPath, 'test/prisma-clients.mjs')
  run(process.execPath, 'node_modules/vitest/vitest.mjs', 'run', ...contracts)
}

function install(versions: Readonly<Record<string, string>>): void {
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
  const overrides = Object.entries(versions).map(([name, version]) => `  '${name}': ${version}\n`)
  appendFileSync(join(copy, 'pnpm-workspace.yaml'), `overrides:\n${overrides.join('')}`)
  run(
    'npx',
    '-y',
    `pnpm@${devEngines.packageManager.version}`,
    'install',
    '--no-frozen-lockfile',
    '--reporter=silent',
  )
}

function assertOldestMikroOrm(versions: typeof ofMikroOrm.floors): void {
  for (const folder of [contract, inPackage('mikro-orm')]) {
    assertLoads(versions, folder, '@mikro-orm/core')
    assertLoads(versions, folder, '@mikro-orm/postgresql', '@mikro-orm/knex')
  }
}

function assertOldest(versions: typeof floors): void {
  const load = (folder: string, ...names: (keyof typeof floors)[]): void =>
    assertLoads(versions, folder, ...names)
  load(inPackage('pg'), 'pg', 'pg-pool')
  load(inPackage('mysql2'), 'mysql2')
  load(inPackage('postgres'), 'postgres')
  load(inPackage('knex'), 'knex', 'pg')
  load(inPackage('knex'), 'knex', 'mysql2')
  load(inPackage('typeorm'), 'typeorm', 'pg')
  load(inPackage('typeorm'), 'typeorm', 'mysql2')
  load(inPackage('typeorm'), 'typeorm', 'mongodb')
  load(inPackage('sequelize'), 'sequelize', 'pg')
  load(inPackage('sequelize'), 'sequelize', 'mysql2')
  load(inPackage('mongodb'), 'mongodb')
  load(inPackage('mongoose'), 'mongoose', 'mongodb')
  load(inPackage('redis'), 'ioredis')
  load(inPackage('redis'), 'redis')
  load(contract, 'ioredis')
  load(contract, 'redis')
  load(contract, 'mongodb')
  load(contract, 'mongoose', 'mongodb')
  load(contract, 'knex', 'pg')
  load(contract, 'knex', 'tarn')
  load(contract, 'pg', 'pg-pool')
  load(contract, 'postgres')
  load(contract, 'prisma')
  load(inPackage('metrics'), 'prom-client')
  load(inPackage('metrics'), '@opentelemetry/api')
  load(inPackage('iam'), '@aws-sdk/rds-signer')
  load(inPackage('iam'), '@azure/identity')
  load(inPackage('iam'), 'google-auth-library')
  load(inPackage('prisma'), '@prisma/adapter-pg')
  load(inPackage('prisma'), '@prisma/adapter-mariadb')
}

function inPackage(name: string): string {
  return join(copy, 'packages', name)
}

/** What a folder loads by a package's name, and what that package loads by the next one, are the floors. */
function assertLoads<Versions extends Readonly<Record<string, string>>>(
  versions: Versions,
  folder: string,
  ...names: (keyof Versions & string)[]
): void {
  let from = folder
  for (const name of names) {
    from = folderOf(name, from)
    const { version } = manifest(from)
    if (version !== versions[name])
      throw new Error(`${folder} loads ${name} ${version} by ${names.join(' > ')}`)
  }
}

/** Not every package lets its package.json be resolved. */
function folderOf(name: string, from: string): string {
  const places = createRequire(join(from, 'package.json')).resolve.paths(name) ?? []
  const found = places.map((place) => join(place, name)).find((place) => existsSync(place))
  if (!found) throw new Error(`${from} finds no ${name}`)
  return realpathSync(found)
}

/** Prisma 6 has the engine that works with adapters as a choice, and wants a URL although the adapter connects. */
function writeSchemasForPrisma6(): void {
  for (const provider of ['postgresql', 'mysql']) {
    const path = join(contract, 'subjects', 'prisma', `${provider}.prisma`)
    const schema = readFileSync(path, 'utf8')
      .replace('generator client {', 'generator client {\n  engineType = "client"')
      .replace('datasource db {', 'datasource db {\n  url = env("UNUSED")')
    writeFileSync(path, schema)
  }
}

function floorOf(folder: string, peer: string): string {
  const range = manifest(join(root, 'packages', folder)).peerDependencies?.[peer] ?? ''
  const [, lowest] = /^\^(\d+\.\d+\.\d+)(?: \|\| \^\d+\.\d+\.\d+)*$/.exec(range) ?? []
  if (!lowest) throw new Error(`packages/${folder} declares ${peer} "${range}"`)
  return lowest
}

function manifest(folder: string): { version: string; peerDependencies?: Record<string, string> } {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

/** The tests of the packages themselves are for the newest versions, but for metrics, which is in no contract. */
function isSource(path: string): boolean {
  const isTestOfPackage = /packages\/(?!metrics\/|iam\/)[^/]+\/test$/.test(path)
  return !isTestOfPackage && !['node_modules', 'dist', '.turbo', 'generated'].includes(basename(path))
}

function run(command: string, ...args: string[]): void {
  const env = { VAULT_LEASE_CACHE: join(root, '.cache', 'vault-lease'), ...process.env }
  const { status } = spawnSync(command, args, { cwd: copy, stdio: 'inherit', env })
  if (status !== 0) process.exit(status ?? 1)
}
