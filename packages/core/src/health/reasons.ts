import type { LeaseStatus, PlaceStatus } from '../lease/status.ts'

/** Why a process is not ready (`failure`), or soon may not be (`warning`). It holds no secret. */
export interface HealthReason {
  /**
   * The lease that it is about, such as `database/creds/readonly`; `pool 2` for the second one that was given, while it has none;
   * `process` for all of them.
   */
  readonly source: string
  readonly level: 'warning' | 'failure'
  /**
   * Of a failure:
   * - `stopping`: the process was told to end;
   * - `starting`: no credential was asked for yet, or the first one is on the way;
   * - `no-credential`: there is none that may be used; it is tried again and again;
   * - `refused`: no database takes the credential that there is;
   * - `closing`, `closed`: the lease.
   *
   * Of a warning:
   * - `not-replaced`: the credential lives, and could be neither renewed nor replaced;
   * - `token-not-renewed`: Vault's token, with which the credential dies, could not be renewed;
   * - `circuit-open`: Vault is left alone because it failed several times in a row;
   * - `refused`: one database refuses the credential that others take.
   */
  readonly code:
    | 'stopping'
    | 'starting'
    | 'no-credential'
    | 'refused'
    | 'closing'
    | 'closed'
    | 'not-replaced'
    | 'token-not-renewed'
    | 'circuit-open'
  readonly message: string
}

/** That a pool has no lease yet. */
export function reasonOfUnused(index: number): HealthReason {
  const message = 'It was not used yet: connect, or run a query, before you serve.'
  return { source: `pool ${index + 1}`, level: 'failure', code: 'starting', message }
}

/** What speaks against a lease. */
export function reasonsOf(status: LeaseStatus): HealthReason[] {
  const failure = failureOf(status)
  return failure ? [failure] : warningsOf(status)
}

function failureOf(status: LeaseStatus): HealthReason | undefined {
  const { source, state, lastError, expiresInMs, places } = status
  const failure = (code: HealthReason['code'], message: string): HealthReason => ({
    source,
    level: 'failure',
    code,
    message,
  })
  if (state === 'closed')
    return failure('closed', 'The lease was closed, and the process goes on without it.')
  if (state === 'closing') return failure('closing', 'The lease is being closed.')
  if (state === 'starting')
    return failure(
      'starting',
      'There is no credential yet. If none was asked for, wait for one before you serve: await lease.ready(), or a query.',
    )
  if (state === 'expired' || expiresInMs === 0)
    return failure('no-credential', `There is no credential that may be used.${because(lastError)}`)
  if (places.length > 0 && places.every((place) => isShutOut(place, status)))
    return failure('refused', places.map(textOfRefusal).join(' '))
  return undefined
}

function warningsOf(status: LeaseStatus): HealthReason[] {
  const { source, failures, lastError, token, circuit, places } = status
  const left = textOfLeft(status.expiresInMs)
  const found: [HealthReason['code'], string][] = []
  if (failures > 0)
    found.push([
      'not-replaced',
      `The credential dies ${left} and could not be renewed or replaced ${times(failures)}.${because(lastError)}`,
    ])
  if (token && token.failures > 0)
    found.push([
      'token-not-renewed',
      `Vault's token dies ${textOfLeft(token.expiresInMs)}, and the credential with it; it could not be renewed ${times(token.failures)}.${because(token.lastError)}`,
    ])
  if (circuit === 'open')
    found.push(['circuit-open', `Vault is left alone for a while: it failed several times in a row.`])
  for (const place of places) if (place.state === 'refused') found.push(['refused', textOfRefusal(place)])
  return found.map(([code, message]) => ({ source, level: 'warning', code, message }))
}

/** Whether it refuses the user in force, and has no user from before. */
function isShutOut({ state, generation }: PlaceStatus, status: LeaseStatus): boolean {
  return state === 'refused' && (generation === 0 || generation === status.generation)
}

function textOfRefusal({ place, lastError }: PlaceStatus): string {
  return `The database at ${place} refuses the user.${because(lastError)}`
}

function textOfLeft(ms = Number.POSITIVE_INFINITY): string {
  return ms === Number.POSITIVE_INFINITY ? 'at a time that nobody told' : `in ${Math.round(ms / 1_000)} s`
}

function times(count: number): string {
  return count === 1 ? 'once' : `${count} times`
}

function because(error: string | undefined): string {
  return error === undefined ? '' : ` ${error}`
}
