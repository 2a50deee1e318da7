import { type Fields, readField, type Values } from '../fields.ts'
import type { Position } from '../position.ts'
import type { SecretPlace } from '../secret.ts'
import type { YamlValue } from '../yaml-value.ts'

/** What a section of the file has under names. A mount may stand at a path of several parts. */
export function named<Thing>(
  value: YamlValue | undefined,
  what: string,
  read: (name: string, at: Position, value: YamlValue) => Thing,
  form?: RegExp,
): Thing[] {
  return (value?.named(what, form) ?? []).map(({ name, at, value }) => read(name, at, value))
}

/** Those that are given, of the fields that Vault has. */
export function valuesOf(fields: Fields, found: Partial<Record<string, YamlValue>>): Values {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) => {
      const value = found[name]
      return value ? [[name, readField(field, value)]] : []
    }),
  )
}

/** `undefined` when none is named. */
export function secretPlace(
  env: YamlValue | undefined,
  file: YamlValue | undefined,
): SecretPlace | undefined {
  if (env) {
    const name = env.text()
    if (name !== '' && !/^[A-Za-z_]\w*$/.test(name))
      env.problem('This has to be the name of an environment variable, not what it holds.')
    return { ...env.position, env: name }
  }
  return file && { ...file.position, file: file.text() }
}
