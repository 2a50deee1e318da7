import { type Health, InvalidOptionError, VaultLeaseError } from '@vault-lease/core'

/** The health endpoint of a process does not answer, or is none. */
export class HealthEndpointError extends VaultLeaseError {
  readonly code = 'ERR_HEALTH_ENDPOINT'
}

const answersWithinMs = 5_000
const longestAnswer = 1024 * 1024

/**
 * What a process says of itself.
 *
 * @throws InvalidOptionError when it is no URL of HTTP.
 * @throws HealthEndpointError when nothing answers there within 5 s, or something else than `healthHandler()`.
 */
export async function healthAt(url: string): Promise<Health> {
  if (!URL.canParse(url) || !/^https?:/i.test(url))
    throw new InvalidOptionError(`"${url}" is no URL of a health endpoint, such as http://127.0.0.1:9000.`)
  const health = parsed(await answerOf(url))
  if (isHealth(health)) return health
  throw new HealthEndpointError(`What answers at ${url} is no healthHandler(): is this its URL?`)
}

async function answerOf(url: string): Promise<string> {
  try {
    const signal = AbortSignal.timeout(answersWithinMs)
    const { body } = await fetch(url, { signal, redirect: 'error' })
    const decoder = new TextDecoder()
    let text = ''
    for await (const chunk of body ?? []) {
      text += decoder.decode(chunk, { stream: true })
      if (text.length > longestAnswer) throw new Error('the answer is longer than 1 MiB')
    }
    return text
  } catch (error) {
    const cause = reasonOf(error)
    const what = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message
    throw new HealthEndpointError(
      `Nothing good came from ${url} (${what}). Does the process run, and is this where healthHandler() listens?`,
      { retryable: true },
    )
  }
}

/** What made fetch() fail is below its error. It has no message when several addresses were tried. */
function reasonOf(error: unknown): Error {
  const { cause } = error as Error
  return cause instanceof Error ? cause : (error as Error)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isHealth(health: unknown): health is Health {
  const { live, ready, reasons, leases } = (health ?? {}) as Partial<Health>
  return (
    typeof live === 'boolean' &&
    typeof ready === 'boolean' &&
    isListOfObjects(reasons) &&
    isListOfObjects(leases) &&
    leases.every(({ places }) => isListOfObjects(places))
  )
}

function isListOfObjects(list: unknown): list is object[] {
  return Array.isArray(list) && list.every((each) => typeof each === 'object' && each !== null)
}
