import { table } from '../table.ts'
import type { End } from './end.ts'
import type { Holder } from './event.ts'
import { isHash } from './hash.ts'
import type { Trace } from './trace.ts'

const columns: readonly (readonly [heading: string, cell: (trace: Trace) => string])[] = [
  ['ISSUED', ({ issue }) => dateOf(issue.issuedAt)],
  ['UNTIL', ({ end }) => textOfEnd(end)],
  ['USER', ({ issue, username }) => username ?? short(issue.username)],
  ['LEASE', ({ issue }) => `${issue.namespace}${issue.lease ?? `${issue.mount}/static-creds/${issue.role}`}`],
  ['RENEWED', ({ renewals }) => (renewals === 0 ? '' : String(renewals))],
  ['BY', ({ issue }) => issue.holder.displayName],
  ['WORKLOAD', ({ issue }) => workloadOf(issue.holder) ?? ''],
  ['ENTITY', ({ issue }) => issue.holder.entityId ?? ''],
  ['ACCESSOR', ({ issue }) => short(issue.holder.accessor)],
  ['FROM', ({ issue }) => issue.holder.from ?? ''],
  ['SESSIONS', ({ sessions }) => textOfSessions(sessions)],
]

/** For people: a row for each user that was given to somebody. Columns that have nothing are left out. */
export function textOf(traces: readonly Trace[]): string {
  if (traces.length === 0) return 'Nobody got a database user.'
  const all = columns.map(([heading, cell]) => ({ heading, cells: traces.map(cell) }))
  const filled = all.filter(({ cells }) => cells.some((cell) => cell !== ''))
  return table(
    filled.map(({ heading }) => heading),
    traces.map((_, row) => filled.map(({ cells }) => cells[row] || '-')),
  )
}

/** For programs. */
export function resultOf(traces: readonly Trace[], broken: number): object {
  return {
    users: traces.map(({ issue, username, end, renewals, sessions }) => ({
      username: username ?? null,
      usernameHash: isHash(issue.username) ? issue.username : null,
      role: issue.role,
      mount: issue.mount,
      namespace: issue.namespace,
      lease: issue.lease ?? null,
      issued: new Date(issue.issuedAt).toISOString(),
      until: end.at === undefined ? null : new Date(end.at).toISOString(),
      how: end.how,
      ...(end.how === 'revoked' && { revoked: { with: end.with, by: end.by, forced: end.forced } }),
      renewals,
      displayName: issue.holder.displayName,
      entity: issue.holder.entityId ?? null,
      accessor: issue.holder.accessor,
      metadata: issue.holder.metadata,
      from: issue.holder.from ?? null,
      ...(sessions && {
        sessions: sessions.map(({ from, since }) => ({
          from: from ?? null,
          since: since === undefined ? null : new Date(since).toISOString(),
        })),
      }),
    })),
    brokenLines: broken,
  }
}

function textOfEnd(end: End): string {
  switch (end.how) {
    case 'revoked':
      if (end.with === 'token') return `${dateOf(end.at)} token revoked by ${end.by}`
      return `${dateOf(end.at)} ${end.forced ? 'forgotten, user left,' : 'revoked'} by ${end.by}`
    case 'live':
      return `${dateOf(end.at)} live`
    case 'ttl':
      return `${dateOf(end.at)} by TTL`
    case 'gone':
      return 'gone'
    case 'unknown':
      return 'unknown'
  }
}

/** With Kubernetes: namespace/service account, and the pod where the login tells it. */
function workloadOf({ metadata }: Holder): string | undefined {
  const text = (name: string): string | undefined =>
    typeof metadata[name] === 'string' ? metadata[name] : undefined
  const [account, namespace] = [text('service_account_name'), text('service_account_namespace')]
  const pod = text('pod') ?? text('pod_name')
  const parts = [account === undefined ? undefined : `${namespace ?? ''}/${account}`, pod && `pod ${pod}`]
  return parts.filter((part) => part !== undefined).join(' ') || text('role_name')
}

/** Enough of a hash to find its line. */
function short(text: string): string {
  return isHash(text) ? text.slice(0, 'hmac-sha256:'.length + 12) : text
}

function textOfSessions(sessions: Trace['sessions']): string {
  if (sessions === undefined) return ''
  const from = [...new Set(sessions.map((session) => session.from ?? 'unknown'))]
  return sessions.length === 0 ? '0' : `${sessions.length} from ${from.join(', ')}`
}

function dateOf(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z')
}
