import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** What each file imports. */
export type Imports = ReadonlyMap<string, readonly string[]>

const packages = fileURLToPath(new URL('../../packages/', import.meta.url))

/** Of every file in the `src` of a package, types' too. Files are named as `core/src/errors.ts`, all else as it is imported. */
export function importsOfPackages(): Imports {
  const files = readdirSync(packages).flatMap((name) => sourcesIn(join(name, 'src')))
  const known = new Set(files)
  const importsOf = (file: string): string[] =>
    specifiersIn(readFileSync(join(packages, file), 'utf8')).map((specifier) => {
      const meant = join(dirname(file), specifier)
      return known.has(meant) ? meant : specifier
    })
  return new Map(files.map((file) => [file, importsOf(file)]))
}

function sourcesIn(folder: string): string[] {
  const names = readdirSync(join(packages, folder), { recursive: true, encoding: 'utf8' })
  return names.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name))
}

// As the formatter writes them: statements begin a line, which examples in comments do not, and quotes are single.
const statement = /^(?:import|export)\s(?:[\w$\s{},*]*\sfrom\s)?'([^']+)'/gm
const call = /\b(?:import|require)\(\s*'([^']+)'/g

/** Whatever a program imports or exports from, at its start or later, values or types. */
export function specifiersIn(program: string): string[] {
  return [statement, call].flatMap((form) => Array.from(program.matchAll(form), ([, name = '']) => name))
}

/** The shortest way round for every import that is part of one, as `a → b → a`. */
export function cyclesIn(imports: Imports): string[] {
  const found = [...imports].flatMap(([file, imported]) =>
    imported.map((other) => wayBetween(imports, other, file)).filter((way) => way !== undefined),
  )
  return [...new Set(found.map(asCycle))].sort()
}

function wayBetween(imports: Imports, start: string, end: string): string[] | undefined {
  const seen = new Set([start])
  const ways = [[start]]
  for (const way of ways) {
    const [last = start] = way.slice(-1)
    if (last === end) return way
    for (const next of imports.get(last) ?? []) {
      if (!seen.has(next)) ways.push([...way, next])
      seen.add(next)
    }
  }
  return undefined
}

/** The same text wherever in the cycle the way begins. */
function asCycle(way: readonly string[]): string {
  const first = way.indexOf([...way].sort()[0] ?? '')
  return [...way.slice(first), ...way.slice(0, first + 1)].join(' → ')
}
