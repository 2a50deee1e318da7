import { constants } from 'node:os'
import { InvalidOptionError } from '@vault-lease/core'

/** What becomes of the program when there is another database user. */
export type OnRotate =
  | { readonly kind: 'restart' }
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'none' }

/** @throws InvalidOptionError */
export function onRotateOf(text: string): OnRotate {
  if (text === 'restart' || text === 'none') return { kind: text }
  const [, name = ''] = /^signal:(?:SIG)?(\w+)$/i.exec(text) ?? []
  const signal = `SIG${name.toUpperCase()}`
  if (isSignal(signal)) return { kind: 'signal', signal }
  throw new InvalidOptionError('--on-rotate takes restart, none, or a signal such as signal:HUP.')
}

function isSignal(name: string): name is NodeJS.Signals {
  return name in constants.signals
}
