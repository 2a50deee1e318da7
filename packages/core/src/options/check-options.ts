import * as z from 'zod/mini'
import en from 'zod/v4/locales/en.js'
import { InvalidOptionError } from '../errors.ts'

const { localeError } = en()

/**
 * Checks an options object and gives back what it has checked, as a plain object: each option is read once. The message names
 * what is wrong and the nearest right name, never a value.
 *
 * @throws InvalidOptionError
 */
export function checkOptions<Shape extends z.core.$ZodShape>(
  what: string,
  schema: z.ZodMiniObject<Shape, z.core.$strict>,
  options: unknown,
): z.output<z.ZodMiniObject<Shape, z.core.$strict>> {
  const { success, data, error } = z.safeParse(schema, plain(schema, options), { error: localeError })
  if (success) return data
  const problems = error.issues.map((issue) => {
    if (issue.code === 'unrecognized_keys') {
      const known = keysAt(schema, issue.path)
      return issue.keys.map((key) => unknownKey(key, known)).join('; ')
    }
    return issue.path.length === 0 ? 'an object is needed' : `${issue.path.join('.')}: ${issue.message}`
  })
  throw new InvalidOptionError(`${what}: ${problems.join('; ')}.`)
}

/** An options object with what it has by its class: zod would not see that a getter there is unknown. */
function plain(schema: z.core.$ZodType, options: unknown): unknown {
  if (schema instanceof z.ZodMiniOptional) return plain(schema.def.innerType, options)
  if (!(schema instanceof z.ZodMiniObject)) return options
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options
  const shape: Readonly<Record<string, z.core.$ZodType | undefined>> = schema.def.shape
  const known = Object.keys(shape).filter((name) => name in options)
  const names = new Set([...known, ...listed(options), ...getters(Object.getPrototypeOf(options))])
  const read = (name: string): unknown => {
    const value: unknown = Reflect.get(options, name)
    const inner = Object.hasOwn(shape, name) ? shape[name] : undefined
    return inner ? plain(inner, value) : value
  }
  return Object.fromEntries(Array.from(names, (name) => [name, read(name)]))
}

function listed(options: object): string[] {
  const names: string[] = []
  for (const name in options) names.push(name)
  return names
}

/** Those of a class and the classes above it, without `__proto__`, which every object has from the last of them. */
function getters(prototype: object | null): string[] {
  const above = prototype && Object.getPrototypeOf(prototype)
  if (!above) return []
  const properties = Object.entries(Object.getOwnPropertyDescriptors(prototype))
  return [...properties.filter(([, { get }]) => get).map(([name]) => name), ...getters(above)]
}

/** The names that an options object has, or one of the objects inside it. */
function keysAt(schema: z.core.$ZodType, path: readonly PropertyKey[]): string[] {
  if (schema instanceof z.ZodMiniOptional) return keysAt(schema.def.innerType, path)
  if (!(schema instanceof z.ZodMiniObject)) return []
  const [first, ...rest] = path
  const shape: Readonly<Record<PropertyKey, z.core.$ZodType | undefined>> = schema.def.shape
  const inner = first === undefined ? undefined : shape[first]
  return inner ? keysAt(inner, rest) : Object.keys(shape)
}

function unknownKey(key: string, known: readonly string[]): string {
  const nearest = nearestName(key, known)
  return nearest ? `"${key}" is not an option, did you mean "${nearest}"?` : `"${key}" is not an option`
}

/** The name that `word` was probably meant to be: at most two letters away, and fewer than half of its own. */
export function nearestName(word: string, names: readonly string[]): string | undefined {
  const near = names
    .map((name) => ({ name, distance: editDistance(word.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= 2 && distance * 2 < name.length)
    .sort((a, b) => a.distance - b.distance)
  return near[0]?.name
}

/** Letters to put in, leave out, replace or swap with their neighbour (optimal string alignment). */
function editDistance(from: string, to: string): number {
  let before: number[] = []
  let row = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let index = 1; index <= from.length; index++) {
    const next = [index]
    for (let column = 1; column <= to.length; column++) {
      const same = from[index - 1] === to[column - 1]
      const swapped = from[index - 1] === to[column - 2] && from[index - 2] === to[column - 1]
      next[column] = Math.min(
        at(row, column - 1) + (same ? 0 : 1),
        at(row, column) + 1,
        at(next, column - 1) + 1,
        swapped ? at(before, column - 2) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    before = row
    row = next
  }
  return at(row, to.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}
