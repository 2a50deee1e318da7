const hidden = '[redacted]'

/** A user and password inside a URL, as connection strings carry them: up to the last @, for a password may hold one. */
const urlCredentials = /:\/\/[^\s"'`]*@/g
const longestChain = 5
/** Anything shorter stands in a text by chance, and to hide it would tell it. */
const shortestSecret = 4

/** Removes `secrets` and the credentials inside URLs from a text that is about to leave the library. */
export function redact(text: string, secrets: Iterable<string> = []): string {
  let clean = text.replaceAll(urlCredentials, `://${hidden}@`)
  for (const secret of secrets) if (secret.length >= shortestSecret) clean = clean.replaceAll(secret, hidden)
  return clean
}

/** What may be known of an error from below: its name, its code and its message, never its properties. */
export function plainCause(cause: unknown, depth = 1): Error {
  if (!(cause instanceof Error)) return new Error(redact(String(cause)))
  const message = cause instanceof AggregateError ? messagesOf(cause) : cause.message
  const ends = cause.cause === undefined || depth === longestChain
  const deeper = ends ? undefined : { cause: plainCause(cause.cause, depth + 1) }
  const plain = new Error(redact(message), deeper)
  plain.name = cause.name
  const code: unknown = 'code' in cause ? cause.code : undefined
  if (typeof code === 'string') Object.assign(plain, { code })
  return plain
}

/** Node reports a host with several addresses as an AggregateError whose own message is empty. */
function messagesOf(aggregate: AggregateError): string {
  const messages = aggregate.errors.map((error) => (error instanceof Error ? error.message : String(error)))
  return aggregate.message || messages.join('; ')
}
