import { inspect } from 'node:util'

/** Everything that somebody who prints a value can see of it. */
export function shown(value: unknown): string {
  const texts = [inspect(value, { depth: 9, showHidden: true }), String(value)]
  if (value instanceof Error) texts.push(value.message, String(value.stack))
  try {
    texts.push(JSON.stringify(value))
  } catch {
    // What JSON cannot express, it cannot show.
  }
  return texts.join('\n')
}

/** Those of `secrets` that a value shows. */
export function secretsIn(value: unknown, secrets: readonly string[]): string[] {
  const text = shown(value)
  return secrets.filter((secret) => text.includes(secret))
}

export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}
