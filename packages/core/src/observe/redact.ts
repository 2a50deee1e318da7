import { secretsInForce } from './secrets-in-force.ts'

const hidden = '[redacted]'

/** A property of what was thrown throws itself. */
const unreadable = 'something was thrown that cannot be read'
const longestChain = 5
/** Anything shorter stands in a text by chance, and to hide it would tell it. */
const shortestSecret = 4

/** With a line break or an escape sequence a text could forge lines of a log, or move the cursor of a terminal. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g

/**
 * What may leave the library of a text: without `secrets`, the passwords in force and the credentials inside URLs, and on one
 * line. Takes time in proportion to its length, whoever wrote it.
 */
export function redact(text: string, secrets: Iterable<string> = []): string {
  const known = [...secrets, ...secretsInForce()].filter((secret) => secret.length >= shortestSecret)
  const forms = [...new Set(known.flatMap(writtenForms))].sort((one, other) => other.length - one.length)
  let clean = text
  for (const form of forms) clean = clean.replaceAll(form, hidden)
  return withoutLogins(clean).replaceAll(controlCharacters, ' ')
}

/** As it is, and as URLs, JSON and JSON in JSON have it; Go escapes <, > and & in JSON, too. */
function writtenForms(secret: string): string[] {
  const inJson = escapedInJson(secret)
  const inGoJson = inJson.replaceAll(/[<>&]/g, (each) => `\\u00${each.charCodeAt(0).toString(16)}`)
  // Half a surrogate pair has no form in a URL.
  const wellFormed = Buffer.from(secret).toString()
  return [secret, inJson, inGoJson, escapedInJson(inJson), encodeURIComponent(wellFormed)]
}

function escapedInJson(text: string): string {
  return JSON.stringify(text).slice(1, -1)
}

/** The user and password of URLs, as connection strings carry them: up to the last @ of a word, for a password may hold one. */
function withoutLogins(text: string): string {
  return text.replaceAll(/\S+/g, (word) => {
    const login = word.indexOf('://') + '://'.length
    const end = word.lastIndexOf('@')
    return word.includes('://') && login <= end ? `${word.slice(0, login)}${hidden}${word.slice(end)}` : word
  })
}

/** What may be known of an error from below: its name, its code and its message, never its properties. */
export function plainCause(cause: unknown): Error {
  try {
    return plainAt(cause, 1)
  } catch {
    return new Error(unreadable)
  }
}

function plainAt(cause: unknown, depth: number): Error {
  const message = redact(messageOf(cause))
  if (!(cause instanceof Error)) return new Error(message)
  const ends = cause.cause === undefined || depth === longestChain
  const plain = new Error(message, ends ? undefined : { cause: plainAt(cause.cause, depth + 1) })
  plain.name = redact(String(cause.name))
  const code: unknown = 'code' in cause ? cause.code : undefined
  if (typeof code === 'string') Object.assign(plain, { code })
  return plain
}

/** What somebody says who throws, whatever that is. Not redacted. */
export function messageOf(thrown: unknown): string {
  try {
    if (!(thrown instanceof Error)) return String(thrown)
    // Node reports a host with several addresses as an AggregateError whose own message is empty.
    const several = thrown instanceof AggregateError && !thrown.message ? thrown.errors : undefined
    return several ? several.map(messageOf).join('; ') : String(thrown.message)
  } catch {
    return unreadable
  }
}
