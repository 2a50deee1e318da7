import { InvalidOptionError } from '@vault-lease/core'
import type { Settings } from './options.ts'

const ofPrimary: readonly string[] = ['primary', 'primaryPreferred']
const ofSecondary: readonly string[] = ['secondary', 'secondaryPreferred']

/**
 * What Mongoose makes of its own options for a connection that reads from elsewhere than from the primary: no indexes.
 *
 * @throws InvalidOptionError when such a connection is told to make them.
 */
export function settingsFor(readPreference: string, settings: Settings): Settings {
  if (ofPrimary.includes(readPreference)) return settings
  const makes = (['autoIndex', 'autoCreate'] as const).find((name) => settings[name])
  if (makes && ofSecondary.includes(readPreference)) {
    throw new InvalidOptionError(
      `Leave out "${makes}": MongoDB makes no index on a connection that reads from secondaries.`,
    )
  }
  return { ...settings, autoIndex: false, autoCreate: false }
}
