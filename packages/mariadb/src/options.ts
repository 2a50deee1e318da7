import { InvalidOptionError } from '@vault-lease/core'
import { checkPlace, type Place } from '@vault-lease/core/adapter'

/** @throws InvalidOptionError for a place that is none, a role to set, or streams of the caller's own. */
export function checkConnectionOptions(options: Place): void {
  checkPlace(options)
  if ('setRole' in options)
    throw new InvalidOptionError('The option "setRole" is for PostgreSQL: leave it out.')
  if ('stream' in options)
    throw new InvalidOptionError(
      'The option "stream" is not supported: the streams are opened by the library, to know when the server has closed them.',
    )
}
