/** Of an error and its causes, which keep no class. */
export function codesOf(error: unknown): readonly unknown[] {
  if (!(error instanceof Error)) return []
  return ['code' in error ? error.code : undefined, ...codesOf(error.cause)]
}
