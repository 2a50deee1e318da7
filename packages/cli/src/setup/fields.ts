import { isDeepStrictEqual } from 'node:util'
import { durationText, secondsOf } from './vault-durations.ts'
import type { YamlValue } from './yaml-value.ts'

/** What a field of Vault holds. A duration is in whole seconds. */
export type FieldValue = string | number | boolean | readonly string[] | Readonly<Record<string, unknown>>

export type Values = Readonly<Record<string, FieldValue>>

interface Field {
  readonly kind: 'text' | 'texts' | 'duration' | 'count' | 'flag' | 'map'
  /** What Vault has when nothing was said; else empty, 0 or false. */
  readonly unset?: FieldValue
}

/** The fields of a kind of object that are of interest, by Vault's names. */
export type Fields = Readonly<Record<string, Field>>

const empty = { text: '', texts: [], duration: 0, count: 0, flag: false, map: {} } as const

export function unsetOf({ kind, unset }: Field): FieldValue {
  return unset ?? empty[kind]
}

/** Every field, with what it is when it is not given. */
export function completed(fields: Fields, values: Values): Values {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, values[name] ?? unsetOf(field)]),
  )
}

/** As the author of a file wrote it. */
export function readField({ kind }: Field, value: YamlValue): FieldValue {
  return value[kind]()
}

/** As Vault answers it: lists are null, durations are seconds or texts, and some numbers are texts. */
export function normalised(fields: Fields, answer: Readonly<Record<string, unknown>>): Values {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, normalisedField(field, answer[name])]),
  )
}

function normalisedField(field: Field, value: unknown): FieldValue {
  if (value === null || value === undefined || value === '') return unsetOf(field)
  switch (field.kind) {
    case 'texts':
      return Array.isArray(value) ? value.map(String) : String(value).split(',')
    case 'duration':
      return secondsOf(String(value)) ?? String(value)
    case 'count':
      return Number(value)
    case 'map':
      return typeof value === 'object' ? { ...value } : {}
    default:
      return typeof value === 'boolean' ? value : String(value)
  }
}

/** A field that is not as it should be. */
export interface FieldDifference {
  readonly field: string
  readonly is: FieldValue
  readonly shouldBe: FieldValue
}

/** The order in a list of names means nothing, that of statements does. Vault drops some line ends. */
export function differencesOf(fields: Fields, is: Values, shouldBe: Values): readonly FieldDifference[] {
  return Object.keys(fields).flatMap((field) => {
    const pair = { field, is: is[field] ?? '', shouldBe: shouldBe[field] ?? '' }
    return isDeepStrictEqual(comparable(field, pair.is), comparable(field, pair.shouldBe)) ? [] : [pair]
  })
}

function comparable(field: string, value: FieldValue): FieldValue {
  if (typeof value === 'string') return value.trim()
  if (!isTexts(value)) return value
  const texts = value.map((text) => text.trim())
  return field.endsWith('_statements') ? texts : texts.sort()
}

function isTexts(value: FieldValue): value is readonly string[] {
  return Array.isArray(value)
}

/** For people: durations with a unit, lists and maps as JSON. */
export function fieldText({ kind }: Field, value: FieldValue): string {
  if (kind === 'duration' && typeof value === 'number') return durationText(value)
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
