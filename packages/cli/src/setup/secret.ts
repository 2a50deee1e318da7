import { readFileSync } from 'node:fs'
import type { Position } from './position.ts'

/** Where a secret is that stands in no file of settings. */
export type SecretPlace = Position & ({ readonly env: string } | { readonly file: string })

/** The secret, or why there is none. A line end of a file is not part of it. */
export function secretAt(place: SecretPlace): { readonly secret: string } | { readonly missing: string } {
  if ('env' in place) {
    const secret = process.env[place.env]
    return secret ? { secret } : { missing: `The variable ${place.env} is not set.` }
  }
  try {
    const secret = readFileSync(place.file, 'utf8').replace(/\r?\n$/, '')
    return secret === '' ? { missing: `The file ${place.file} is empty.` } : { secret }
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? ` (${error.code})` : ''
    return { missing: `The file ${place.file} cannot be read${why}.` }
  }
}
