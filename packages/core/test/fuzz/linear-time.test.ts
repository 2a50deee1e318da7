import fc from 'fast-check'
import { expect, it } from 'vitest'
import { redact } from '../../src/observe/redact.ts'
import { loginIn } from '../../src/source/credential-text.ts'
import { readAddress } from '../../src/vault/address.ts'
import { canBeToken } from '../../src/vault/auth/token.ts'
import { readEnvironment } from '../../src/vault/environment.ts'
import { errorOf } from '../../src/vault/errors.ts'

const short = 4 * 1024
const long = 8 * short
/** It takes 8 times as long for 8 times the length, and 64 times where each part is looked at for each other one. */
const tooMuch = 24
/** Whatever is read this fast, a busy machine makes it uncertain how it grows. */
const fastMs = 20

/** Of which texts are made that patterns stumble over. */
const piece = fc.constantFrom(
  ...['://', '@', ' ', '\t', '\n', '\r', '=', '"', "'", '\\', '#', ';', '/', '.', '_', '1', 'm', 'a'],
  ...['export ', 'A=', 'user', '/v1', 'https://a/', '{', '[', '"a":', '\u001b'],
)
const few = fc.array(piece, { maxLength: 3 }).map((pieces) => pieces.join(''))
const unit = fc.array(piece, { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join(''))

/** What reads a text that somebody else has written. */
const readers: Readonly<Record<string, (text: string) => unknown>> = {
  redact: (text) => redact(text, ['secret']),
  'the text of a credential file': loginIn,
  'an error answer of Vault': (text) =>
    errorOf({ method: 'GET', path: 'database/creds/app', status: 500, messages: [text] }),
  'an address': (text) => attempt(() => readAddress(text)),
  'an address behind its host': (text) => attempt(() => readAddress(`https://vault/${text}`)),
  'a token': canBeToken,
  'a duration': (text) => attempt(() => readEnvironment({ VAULT_CLIENT_TIMEOUT: text })),
  'a rate': (text) => attempt(() => readEnvironment({ VAULT_RATE_LIMIT: text })),
}

it.each(Object.entries(readers))('the time for %s grows no faster than its length', (_name, read) => {
  fc.assert(
    fc.property(few, unit, few, (before, repeated, after) => {
      const text = (length: number): string => before + repeated.repeat(length / repeated.length) + after
      expect(growth(read, text(short), text(long))).toBeLessThan(tooMuch)
    }),
    {
      numRuns: 400,
      examples: [
        ['', '://', ''],
        ['A=', ' ', '"'],
        ['A=', '#', '\r '],
        ['', '/', 'a'],
      ],
    },
  )
})

/** How much longer the long text takes. A busy machine gets several chances: what is slow by itself uses none of them. */
function growth(read: (text: string) => unknown, shortText: string, longText: string): number {
  let least = Number.POSITIVE_INFINITY
  for (let tries = 0; tries < 8 && least >= tooMuch; tries++) {
    const longMs = fastestMs(() => read(longText))
    if (longMs <= fastMs) return 0
    least = longMs / fastestMs(() => read(shortText))
  }
  return least
}

/** Of three: milliseconds of CPU, since a busy machine gives us its own only now and then. */
function fastestMs(run: () => unknown): number {
  const times = [1, 2, 3].map(() => {
    const before = process.cpuUsage()
    run()
    const { user, system } = process.cpuUsage(before)
    return (user + system) / 1_000
  })
  return Math.min(...times)
}

function attempt(run: () => unknown): void {
  try {
    run()
  } catch {
    // It says what is wrong: that counts as read.
  }
}
