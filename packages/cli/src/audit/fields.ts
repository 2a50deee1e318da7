type Fields = Readonly<Record<string, unknown>>

/** The field of an object in JSON, by its path; `undefined` when there is none. */
export function fieldIn(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, name) => (typeof inner === 'object' && inner !== null ? (inner as Fields)[name] : undefined),
    value,
  )
}

/** The same, when it is a text that is not empty. */
export function textIn(value: unknown, ...path: readonly string[]): string | undefined {
  const field = fieldIn(value, ...path)
  return typeof field === 'string' && field !== '' ? field : undefined
}

/** The same, when it is a number. */
export function numberIn(value: unknown, ...path: readonly string[]): number | undefined {
  const field = fieldIn(value, ...path)
  return typeof field === 'number' ? field : undefined
}
