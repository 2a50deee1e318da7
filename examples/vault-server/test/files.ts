import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The folder of this example. */
export const example: string = fileURLToPath(new URL('..', import.meta.url))

/** The text of one of its files. */
export const read = (file: string): string => readFileSync(join(example, file), 'utf8')

/** The variables of a file of the shell. */
export function variablesIn(text: string): Record<string, string> {
  return Object.fromEntries(
    Array.from(text.matchAll(/^([A-Z_0-9]+)=(.*)$/gm), ([, name, value]) => [name, value]),
  )
}

/** As envsubst does, but for a variable that is not there. */
export function filledIn(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{([A-Z_0-9]+)\}/g, (_, name: string) => {
    const value = env[name]
    if (value === undefined) throw new Error(`node.env has no ${name}.`)
    return value
  })
}
