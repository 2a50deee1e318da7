import { VaultError } from '@vault-lease/core'
import type { VaultApi } from '../vault/vault-api.ts'
import type { Examination } from './examination.ts'
import { type Finding, failed, ok, skipped, warning } from './finding.ts'
import { links } from './links.ts'
import { inWords } from './times.ts'

const group = 'Authentication'

/** How long the token lives, and how long it can. */
export interface TokenLife {
  /** 0 for one that has no end. */
  readonly ttlS: number
  readonly renewable: boolean
  /** The longest that renewals extend it to, from now; Infinity without such an end, undefined where nobody tells. */
  readonly longestS: number | undefined
}

/** Whether there is a token, and how long it lives. `undefined` when there is none to go on with. */
export async function checkToken(
  examination: Examination,
  vault: VaultApi,
  logsIn: boolean,
): Promise<TokenLife | undefined> {
  const note = (check: string, finding: Finding): boolean => examination.note(group, check, finding)
  let data: Readonly<Record<string, unknown>>
  try {
    data = (await vault.read('auth/token/lookup-self')) ?? {}
  } catch (error) {
    if (!(error instanceof VaultError)) throw error
    if (isForbiddenTo(error)) {
      note('login', ok('there is a token'))
      note('life', skipped('no policy lets the token look itself up (auth/token/lookup-self)'))
      return { ttlS: 0, renewable: false, longestS: undefined }
    }
    note('login', failed(error.message, loginHint(logsIn), links.tokens))
    return undefined
  }
  const name = data['display_name']
  note('login', ok(`as ${typeof name === 'string' && name !== '' ? name : 'a token'}${policiesOf(data)}`))
  const life = lifeOf(data)
  // Each look would use up one that has a limit.
  return note('life', lifeFinding(life, data, logsIn)) ? life : undefined
}

/** What to do where there is no login. */
export function loginHint(logsIn: boolean): string {
  return logsIn
    ? 'Check --auth and its options, and the role of the method in Vault.'
    : 'Give a token that lives: VAULT_TOKEN, ~/.vault-token, or --auth with a method that can log in.'
}

function isForbiddenTo({ messages, code }: VaultError): boolean {
  return (
    code === 'ERR_VAULT_PERMISSION_DENIED' && messages.some((text) => text.startsWith('1 error occurred'))
  )
}

function policiesOf({ policies, identity_policies: more }: Readonly<Record<string, unknown>>): string {
  const names = [policies, more].flatMap((some) => (Array.isArray(some) ? some.map(String) : []))
  return names.length > 0 ? `, with the policies ${names.join(', ')}` : ''
}

function lifeOf(data: Readonly<Record<string, unknown>>): TokenLife {
  const ttlS = numberIn(data['ttl'])
  const renewable = data['renewable'] === true
  return { ttlS, renewable, longestS: longestOf(data, ttlS, renewable) }
}

function longestOf(
  data: Readonly<Record<string, unknown>>,
  ttlS: number,
  renewable: boolean,
): number | undefined {
  if (ttlS === 0) return Number.POSITIVE_INFINITY
  if (!renewable) return ttlS
  if (numberIn(data['period']) > 0) return Number.POSITIVE_INFINITY
  const explicitS = numberIn(data['explicit_max_ttl'])
  // What the system or the mount allows is not told to everybody.
  return explicitS > 0 ? explicitS - (Date.now() / 1_000 - numberIn(data['creation_time'])) : undefined
}

function lifeFinding(life: TokenLife, data: Readonly<Record<string, unknown>>, logsIn: boolean): Finding {
  const uses = numberIn(data['num_uses'])
  if (uses > 0)
    return failed(
      `the token can be used ${uses} more times`,
      'Give one without a limit of uses (num_uses 0): its leases die with its last use.',
      links.tokens,
    )
  const { ttlS, renewable } = life
  if (ttlS === 0) return ok('has no end')
  const left = `${inWords(ttlS)} left${renewable ? ', renewable' : ', not renewable'}`
  if (logsIn || renewable) return ok(left)
  return warning(
    left,
    'When it ends its leases end with it, and nobody can log in anew: use --auth approle, kubernetes or jwt in your application, or a periodic token.',
    links.tokens,
  )
}

function numberIn(value: unknown): number {
  return typeof value === 'number' ? value : 0
}
