import { nearestName } from '@vault-lease/core/adapter'
import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter } from 'yaml'
import type { Position, Problem } from './position.ts'
import { secondsOf } from './vault-durations.ts'

/** The file that values are of, and what was found to be wrong with it. */
export interface Source {
  readonly document: Document
  readonly lines: LineCounter
  readonly problems: Problem[]
}

/**
 * A value of a YAML file, and where it stands. What is not as it should be becomes a problem of the source, and is read as
 * nothing: empty, 0, false. Values are not shown in problems.
 */
export class YamlValue implements Position {
  readonly line: number
  readonly column: number
  readonly #source: Source
  readonly #node: unknown

  constructor(source: Source, node: unknown, near: unknown = node) {
    this.#source = source
    this.#node = isAlias(node) ? node.resolve(source.document) : node
    const { line, col } = source.lines.linePos(offsetOf(node) ?? offsetOf(near) ?? 0)
    this.line = Math.max(1, line)
    this.column = Math.max(1, col)
  }

  problem(message: string): void {
    const { line, column } = this
    this.#source.problems.push({ line, column, message })
  }

  get position(): Position {
    return { line: this.line, column: this.column }
  }

  /** The values of known keys. */
  record<Key extends string>(
    keys: readonly Key[],
    needed: readonly Key[] = [],
  ): Partial<Record<Key, YamlValue>> {
    const found: Partial<Record<Key, YamlValue>> = {}
    for (const { key, at, value } of this.#pairs()) {
      if (isOneOf(keys, key)) found[key] = value
      else at.problem(unknownText(key, keys))
    }
    for (const key of needed) if (!found[key]) this.problem(`"${key}" is missing here.`)
    return found
  }

  /** What stands under names that the author chose. */
  named(
    what: string,
    form: RegExp = /^\w(?:[\w.-]*\w)?$/,
  ): { name: string; at: Position; value: YamlValue }[] {
    return this.#pairs().map(({ key, at, value }) => {
      if (!form.test(key)) at.problem(`The name of ${what} has letters, digits, "_", "-" and "." only.`)
      return { name: key, at: at.position, value }
    })
  }

  list(): YamlValue[] {
    if (isSeq(this.#node))
      return this.#node.items.map((item) => new YamlValue(this.#source, item, this.#node))
    this.#wrong('a list')
    return []
  }

  /** Lists of one may leave out the brackets, as in Vault. */
  texts(): string[] {
    return isSeq(this.#node) ? this.list().map((item) => item.text()) : [this.text()].filter(Boolean)
  }

  text(): string {
    const value = this.#scalar
    if (typeof value === 'string') return value
    this.#wrong('a text')
    return ''
  }

  /** A name that is put into statements. */
  plainName(): string {
    const text = this.text()
    if (text === '' || /^[\w-]{1,63}$/.test(text)) return text
    this.problem('Only letters, digits, "_" and "-" here: it is put into statements.')
    return ''
  }

  oneOf<Name extends string>(names: readonly Name[]): Name | undefined {
    const text = this.text()
    if (isOneOf(names, text)) return text
    if (text !== '') this.problem(unknownText(text, names))
    return undefined
  }

  flag(): boolean {
    const value = this.#scalar
    if (typeof value === 'boolean') return value
    this.#wrong('true or false')
    return false
  }

  count(): number {
    const value = this.#scalar
    if (typeof value === 'number' && Number.isInteger(value)) return value
    this.#wrong('a whole number')
    return 0
  }

  /** In seconds. */
  duration(): number {
    const value = this.#scalar
    const seconds = ['string', 'number'].includes(typeof value) ? secondsOf(String(value)) : undefined
    if (seconds === undefined) this.#wrong('a time such as 30s, 15m, 1h or 24h')
    return seconds ?? 0
  }

  /** Whatever it is, under keys. */
  map(): Readonly<Record<string, unknown>> {
    if (isMap(this.#node)) return this.#node.toJS(this.#source.document)
    this.#wrong('a map of names and values')
    return {}
  }

  get #scalar(): unknown {
    return isScalar(this.#node) ? this.#node.value : undefined
  }

  #pairs(): { key: string; at: YamlValue; value: YamlValue }[] {
    if (!isMap(this.#node)) {
      this.#wrong('a map of names and values')
      return []
    }
    return this.#node.items.map((pair) => {
      const at = new YamlValue(this.#source, pair.key)
      const key = isScalar(pair.key) ? String(pair.key.value) : ''
      return { key, at, value: new YamlValue(this.#source, pair.value, pair.key) }
    })
  }

  #wrong(needed: string): void {
    this.problem(`This has to be ${needed}, and is ${kindOf(this.#node)}.`)
  }
}

function isOneOf<Name extends string>(names: readonly Name[], name: string): name is Name {
  return names.some((known) => known === name)
}

/** Of a name that nothing has. */
export function unknownText(name: string, known: readonly string[]): string {
  if (known.includes('password_env') && name === 'password')
    return 'No password stands in the file: "password_env" names a variable that has it, "password_file" a file.'
  const nearest = nearestName(name, known)
  return nearest
    ? `"${name}" is not known here, did you mean "${nearest}"?`
    : `"${name}" is not known here: it is one of ${known.join(', ')}.`
}

function kindOf(node: unknown): string {
  if (isMap(node)) return 'a map'
  if (isSeq(node)) return 'a list'
  const value: unknown = isScalar(node) ? node.value : undefined
  if (value === null || value === undefined) return 'empty'
  if (typeof value === 'string') return 'a text'
  return typeof value === 'number' ? 'a number' : 'true or false'
}

function offsetOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null || !('range' in node)) return undefined
  return Array.isArray(node.range) ? Number(node.range[0]) : undefined
}
