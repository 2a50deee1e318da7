import { subscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import type { AuthMethod, LeaseManager } from '@vault-lease/core'

/** Collects every secret that was issued, and everything that could show one. */
export interface SecretWatch {
  /** Reads the passwords of a lease as they come, and everything that it tells. */
  watch(lease: LeaseManager): LeaseManager
  /** Reads the tokens that logging in brings. */
  watchLogins(auth: AuthMethod): AuthMethod
  /** A secret that somebody else has issued. */
  know(secret: string): void
  /** Something that a user could print. */
  look(shown: unknown): void
  known(): number
  texts(): Iterable<string>
  secrets(): Iterable<string>
}

const events = [
  'rotated',
  'rotation',
  'renewed',
  'login',
  'retired',
  'revoked',
  'failed',
  'expired',
  'state',
] as const

export function watchSecrets(): SecretWatch {
  const secrets = new Set<string>()
  const texts = new Set<string>()
  const look = (shown: unknown): void => {
    texts.add(inspect(shown, { depth: 8, showHidden: false }))
    if (shown instanceof Error) texts.add(`${shown.stack}`)
    try {
      texts.add(JSON.stringify(shown) ?? '')
    } catch {
      // What JSON cannot express, it cannot show.
    }
  }
  for (const event of [...events, 'request']) subscribe(`vault-lease:${event}`, look)
  process.on('warning', look)
  return {
    watchLogins: ({ name, logIn }) => ({
      name,
      async logIn(context) {
        const login = await logIn(context)
        if (login.kind !== 'none') secrets.add(login.kind === 'issued' ? login.auth.token : login.token)
        return login
      },
    }),
    know: (secret) => void secrets.add(secret),
    watch(lease) {
      lease.on('rotated', () => {
        const password = lease.current?.password
        if (password !== undefined) secrets.add(password)
      })
      for (const event of events) lease.on(event, look)
      return lease
    },
    look,
    known: () => secrets.size,
    texts: () => texts,
    secrets: () => secrets,
  }
}

/** The first text that shows a secret, the secret hidden in it. */
export function leakIn(watch: SecretWatch): string | undefined {
  for (const text of watch.texts())
    for (const secret of watch.secrets()) if (text.includes(secret)) return text.replaceAll(secret, '****')
  return undefined
}
