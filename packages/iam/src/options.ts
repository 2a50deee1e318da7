import { InvalidOptionError } from '@vault-lease/core'
import { nearestName } from '@vault-lease/core/adapter'

/**
 * Refuses what is wrong before anything is asked for.
 *
 * @param texts The options that have to be there.
 * @param others The options that may be there.
 *
 * @throws InvalidOptionError
 */
export function checkOptions(
  options: object,
  texts: readonly string[],
  others: readonly string[] = [],
): void {
  if (typeof options !== 'object' || options === null)
    throw new InvalidOptionError('The options have to be an object.')
  const known = [...texts, ...others]
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue
    const nearest = nearestName(name, known)
    throw new InvalidOptionError(
      nearest
        ? `"${name}" is not an option, did you mean "${nearest}"?`
        : `"${name}" is not an option: there are ${known.join(', ')}.`,
    )
  }
  for (const name of texts) {
    const value: unknown = Reflect.get(options, name)
    if (typeof value !== 'string' || value === '')
      throw new InvalidOptionError(`The option "${name}" is needed, and takes a text.`)
  }
}
