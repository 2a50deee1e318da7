import type { AuditEvent, Holder, Revocation } from './event.ts'
import { fieldIn, numberIn, textIn } from './fields.ts'
import { isHash } from './hash.ts'

const openingBrace = 0x7b
const closingBrace = 0x7d

/**
 * What a line tells of database users; `undefined` when nothing. Before the entry there may be a prefix, as syslog writes it.
 *
 * @throws SyntaxError when it is no entry.
 */
export function readLine(line: Buffer): AuditEvent | undefined {
  const text = trimmed(line)
  if (text.length === 0) return undefined
  // Half of the lines are requests: what came of them is in their responses.
  if (text.at(-1) === closingBrace && text.includes('"type":"request"') && !text.includes('"response"'))
    return undefined
  const entry: unknown = JSON.parse(text.toString())
  const at = Date.parse(textIn(entry, 'time') ?? '')
  if (Number.isNaN(at) || fieldIn(entry, 'request') === undefined)
    throw new SyntaxError('It is no entry of an audit device.')
  if (textIn(entry, 'type') !== 'response' || textIn(entry, 'error') !== undefined) return undefined
  return readResponse(entry, at)
}

function trimmed(line: Buffer): Buffer {
  const end = line.at(-1) === 0x0d ? line.length - 1 : line.length
  const from = line.indexOf(openingBrace)
  return line.subarray(Math.max(from, 0), end)
}

function readResponse(entry: unknown, at: number): AuditEvent | undefined {
  const path = textIn(entry, 'request', 'path') ?? ''
  if (path.startsWith('sys/')) return readSystem(entry, path.slice('sys/'.length), at)
  if (path.startsWith('auth/token/')) return readToken(entry, path.slice('auth/token/'.length), at)
  return readCredential(entry, path, at)
}

function readCredential(entry: unknown, path: string, at: number): AuditEvent | undefined {
  const [, before = '', kind, role] = /^(.+)\/(creds|static-creds)\/(.+)$/.exec(path) ?? []
  const wrapping = textIn(entry, 'response', 'wrap_info', 'token')
  if (role !== undefined && wrapping !== undefined && isDatabase(entry))
    return { kind: 'wrapped', wrapping, holder: holderOf(entry) }
  const username = textIn(entry, 'response', 'data', 'username')
  if (role === undefined || username === undefined || !isDatabase(entry)) return undefined
  const lease = textIn(entry, 'response', 'secret', 'lease_id')
  if ((kind === 'creds') !== (lease !== undefined)) return undefined
  return {
    kind: 'issued',
    issue: {
      lease,
      namespace: namespaceOf(entry),
      mount: textIn(entry, 'request', 'mount_point')?.replace(/\/$/, '') ?? before,
      role,
      username,
      issuedAt: at,
      endsAt: lease === undefined ? nextRotation(entry, at) : undefined,
      holder: holderOf(entry),
    },
  }
}

/** What a wrapping token was given back for, by itself or beside another token. */
function readUnwrapped(entry: unknown, at: number): AuditEvent | undefined {
  const lease = textIn(entry, 'response', 'secret', 'lease_id')
  const username = textIn(entry, 'response', 'data', 'username')
  const [, mount, role] = /^(.+)\/creds\/(.+)\/[^/]+$/.exec(lease ?? '') ?? []
  if (lease === undefined || username === undefined || mount === undefined || role === undefined)
    return undefined
  const holder = holderOf(entry)
  return {
    kind: 'issued',
    wrapping: textIn(entry, 'request', 'data', 'token') ?? holder.token,
    issue: {
      lease,
      namespace: namespaceOf(entry),
      mount,
      role,
      username,
      issuedAt: at,
      endsAt: undefined,
      holder: { ...holder, tokenEndsAt: undefined },
    },
  }
}

function nextRotation(entry: unknown, at: number): number | undefined {
  const rotatedAt = Date.parse(textIn(entry, 'response', 'data', 'last_vault_rotation') ?? '')
  const period = numberIn(entry, 'response', 'data', 'rotation_period')
  // The same for each who reads the password: what is left of it is in whole seconds.
  if (period !== undefined && !Number.isNaN(rotatedAt)) return rotatedAt + period * 1_000
  const ttl = numberIn(entry, 'response', 'data', 'ttl')
  return ttl === undefined ? undefined : at + ttl * 1_000
}

/** Old versions do not write it. */
function isDatabase(entry: unknown): boolean {
  const type = textIn(entry, 'request', 'mount_type') ?? textIn(entry, 'response', 'mount_type')
  return type === undefined || type === 'database'
}

function readSystem(entry: unknown, path: string, at: number): AuditEvent | undefined {
  if (path === 'wrapping/unwrap') return readUnwrapped(entry, at)
  const [, action, , rest] = /^(?:leases\/)?(renew|revoke(-prefix|-force)?)(?:\/(.+))?$/.exec(path) ?? []
  const named = textIn(entry, 'request', 'data', 'lease_id')
  const revocation = revocationOf(entry, at, action === 'revoke-force')
  if (action === 'renew') {
    const lease = textIn(entry, 'response', 'secret', 'lease_id')
    if (lease === undefined) return undefined
    return { kind: 'renewed', renewal: { lease, hash: named, at, grantedMs: grantedMs(entry) } }
  }
  if (action === 'revoke') {
    const id = rest ?? named
    return id === undefined ? undefined : { kind: 'lease-revoked', id, revocation }
  }
  const [, mount] = /^mounts\/(.+?)\/?$/.exec(path) ?? []
  const unmounted =
    mount !== undefined && textIn(entry, 'request', 'operation') === 'delete' ? `${mount}/` : undefined
  const prefix = action === undefined ? unmounted : rest
  return prefix === undefined
    ? undefined
    : { kind: 'prefix-revoked', namespace: namespaceOf(entry), prefix, revocation }
}

/** What was asked for, unless Vault warns that it grants less: what it grants is not written. */
function grantedMs(entry: unknown): number | undefined {
  const warnings = fieldIn(entry, 'response', 'warnings')
  const [, capped] = /effective max_ttl of "([^"]+)"/.exec(String(warnings ?? '')) ?? []
  if (capped !== undefined) return durationMs(capped)
  const increment = fieldIn(entry, 'request', 'data', 'increment') ?? 0
  return typeof increment === 'number' ? increment * 1_000 : undefined
}

const unitMs: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 }

/** As Go writes it: `1h2m3.5s`. */
function durationMs(text: string): number {
  const parts = Array.from(text.matchAll(/([\d.]+)(ms|h|m|s)/g))
  return parts.reduce((sum, [, count, unit = 's']) => sum + Number(count) * (unitMs[unit] ?? 0), 0)
}

function readToken(entry: unknown, action: string, at: number): AuditEvent | undefined {
  const revoked: Readonly<Record<string, string | undefined>> = {
    'revoke-self': holderOf(entry).accessor,
    revoke: textIn(entry, 'request', 'data', 'token'),
    'revoke-orphan': textIn(entry, 'request', 'data', 'token'),
    'revoke-accessor': textIn(entry, 'request', 'data', 'accessor'),
  }
  const token = revoked[action]
  if (token !== undefined) return { kind: 'token-revoked', token, revocation: revocationOf(entry, at, false) }
  const accessor = textIn(entry, 'response', 'auth', 'accessor')
  const ttl = numberIn(entry, 'response', 'auth', 'token_ttl')
  if (!action.startsWith('renew') || accessor === undefined || ttl === undefined) return undefined
  return { kind: 'token-renewed', accessor, endsAt: at + ttl * 1_000 }
}

function revocationOf(entry: unknown, at: number, forced: boolean): Revocation {
  return { at, by: holderOf(entry).displayName, forced }
}

function holderOf(entry: unknown): Holder {
  const auth = fieldIn(entry, 'auth')
  const token = textIn(auth, 'client_token') ?? ''
  const issuedAt = Date.parse(textIn(auth, 'token_issue_time') ?? '')
  const ttl = numberIn(auth, 'token_ttl') ?? 0
  const metadata = fieldIn(auth, 'metadata')
  return {
    displayName: textIn(auth, 'display_name') ?? '',
    accessor: textIn(auth, 'accessor') ?? (isHash(token) ? token : ''),
    token,
    entityId: textIn(auth, 'entity_id'),
    metadata: typeof metadata === 'object' && metadata !== null ? { ...metadata } : {},
    from: textIn(entry, 'request', 'remote_address'),
    tokenEndsAt: ttl > 0 && !Number.isNaN(issuedAt) ? issuedAt + ttl * 1_000 : undefined,
  }
}

function namespaceOf(entry: unknown): string {
  return textIn(entry, 'request', 'namespace', 'path') ?? ''
}
