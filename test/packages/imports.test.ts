import { describe, expect, it } from 'vitest'
import { cyclesIn, importsOfPackages, specifiersIn } from './imports.ts'

const core = ['@vault-lease/core', '@vault-lease/core/adapter']
const drivers = [
  '@vault-lease/pg/adapter',
  '@vault-lease/mysql2/adapter',
  '@vault-lease/mariadb/adapter',
  '@vault-lease/mongodb/adapter',
]

/** What each package may import of the workspace. */
const packages: Readonly<Record<string, readonly string[]>> = {
  core: [],
  pg: core,
  mysql2: core,
  postgres: core,
  mariadb: core,
  mongodb: core,
  knex: [...core, ...drivers],
  typeorm: [...core, ...drivers],
  sequelize: [...core, ...drivers],
  'mikro-orm': [
    ...core,
    '@vault-lease/pg/adapter',
    '@vault-lease/mariadb/adapter',
    '@vault-lease/knex/adapter',
  ],
  prisma: [...core, ...drivers],
  mongoose: [...core, ...drivers],
  redis: core,
  metrics: core,
  iam: core,
  testing: [],
  cli: [...core, '@vault-lease/testing'],
}

const base = ['errors.ts', 'error-brand.ts', 'observe']

/** What each folder of the core may import beside itself; `top` are the files in none. */
const layers: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': base,
  'error-brand.ts': base,
  observe: base,
  resilience: base,
  options: [...base, 'resilience'],
  vault: [...base, 'resilience', 'options'],
  source: [...base, 'resilience', 'options', 'vault'],
  lease: [...base, 'resilience', 'options', 'vault', 'source'],
  database: [...base, 'resilience'],
  listening: [...base, 'resilience', 'lease'],
  pool: [...base, 'resilience', 'options', 'vault', 'source', 'lease', 'database'],
  health: [...base, 'lease'],
  top: [
    ...base,
    'resilience',
    'options',
    'vault',
    'source',
    'lease',
    'database',
    'pool',
    'health',
    'listening',
  ],
}

const databases = [
  '@mikro-orm',
  '@prisma',
  'ioredis',
  'knex',
  'mariadb',
  'mongodb',
  'mongoose',
  'mysql2',
  'pg',
  'postgres',
  'redis',
  'sequelize',
  'typeorm',
]

describe('imports', () => {
  const imports = importsOfPackages()
  const edges = [...imports].flatMap(([from, imported]) => imported.map((to) => ({ from, to })))

  it('go in no circle', () => {
    expect(cyclesIn(imports)).toEqual([])
  })

  it('of other packages go from the adapters to the core, and by name', () => {
    const wrong = edges.filter(({ from, to }) => {
      const allowed = packages[packageOf(from)] ?? []
      if (to.startsWith('@vault-lease/')) return !allowed.includes(to)
      return to.startsWith('.') || (imports.has(to) && packageOf(to) !== packageOf(from))
    })
    expect(wrong.map(asText)).toEqual([])
  })

  it('of the core are of no driver', () => {
    const ofCore = edges.filter(({ from }) => packageOf(from) === 'core')
    const wrong = ofCore.filter(({ to }) => databases.some((name) => `${to}/`.startsWith(`${name}/`)))
    expect(wrong.map(asText)).toEqual([])
  })

  it('inside the core go from upper layers to lower ones', () => {
    const inside = edges.filter(({ from, to }) => packageOf(from) === 'core' && imports.has(to))
    const wrong = inside.filter(({ from, to }) => {
      const layer = layerOf(from)
      return layerOf(to) !== layer && !layers[layer]?.includes(layerOf(to))
    })
    expect(wrong.map(asText)).toEqual([])
  })
})

describe('reading imports', () => {
  it('finds them in every form', () => {
    const program = `
import './a'
import b from './b'
import * as c from './c'
import { d, type D as E } from './d'
import type { F } from './f'
import {
  g,
} from './g'
export * from './h'
export { i } from './i'
export type { J } from './j'
type K = typeof import('./k')
const l = await import('./l')
const m = require('./m')
`
    expect(specifiersIn(program)).toEqual([...'abcdfghijklm'].map((name) => `./${name}`))
  })

  it('takes neither examples nor texts for one', () => {
    const program = `
/**
 * import { a } from './a'
 */
export const b = "select 1 from './b'"
export default 'c'
`
    expect(specifiersIn(program)).toEqual([])
  })

  it('tells the whole way of a cycle, once', () => {
    const imports = new Map([
      ['b', ['c']],
      ['c', ['a', 'd']],
      ['a', ['b']],
      ['d', []],
    ])
    expect(cyclesIn(imports)).toEqual(['a → b → c → a'])
  })
})

function packageOf(file: string): string {
  return file.split('/')[0] ?? ''
}

function layerOf(file: string): string {
  const [, , first = '', inFolder] = file.split('/')
  return inFolder || first in layers ? first : 'top'
}

function asText({ from, to }: { readonly from: string; readonly to: string }): string {
  return `${from} → ${to}`
}
