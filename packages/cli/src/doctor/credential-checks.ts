import { VaultError } from '@vault-lease/core'
import type { Database } from '../database/database.ts'
import type { Login } from '../database/kind.ts'
import { mongodb } from '../database/mongodb.ts'
import { mysql } from '../database/mysql.ts'
import { unlessInterrupted, untilInterrupted } from '../signals.ts'
import type { VaultApi } from '../vault/vault-api.ts'
import type { DatabaseSession, Load, Named, OpenSession } from './databases/examined.ts'
import { openMongodb } from './databases/mongodb.ts'
import { openMysql } from './databases/mysql.ts'
import { openPostgresql } from './databases/postgresql.ts'
import type { Examination } from './examination.ts'
import { type Finding, failed, ok, skipped, warning } from './finding.ts'
import { links } from './links.ts'
import { notConnected } from './not-connected.ts'
import type { Origin } from './origin.ts'
import { inWords } from './times.ts'

const group = 'Credential'

/** A credential that Vault has created for this look. */
interface Created extends Login {
  /** Empty for a static role. */
  readonly leaseId: string
  readonly ttlS: number
  readonly renewable: boolean
}

/** Creates a credential, uses it, and gives it back. What the database said on the way is told after it. */
export async function checkCredential(
  examination: Examination,
  vault: VaultApi,
  origin: Origin,
  database: Database | undefined,
  load: Load,
): Promise<void> {
  const note = (check: string, finding: Finding): boolean => examination.note(group, check, finding)
  // From here on there may be something to give back.
  using interrupted = untilInterrupted()
  const created = await create(vault, origin)
  if ('status' in created) {
    note('create', created)
    return
  }
  note('create', ok(`${created.username}, for ${inWords(created.ttlS)}`))
  let found: readonly Named[] = []
  try {
    found = await unlessInterrupted(interrupted, connectAs(note, created, database, load))
    if (created.leaseId !== '') note('renew', await renew(vault, created))
  } finally {
    if (created.leaseId !== '') await revoke(note, vault, created, database)
  }
  for (const [check, finding] of found) examination.note('Database', check, finding)
}

type Note = (check: string, finding: Finding) => boolean

async function create(vault: VaultApi, { credentialPath }: Origin): Promise<Created | Finding> {
  try {
    const { data, leaseId, leaseDurationMs, renewable } = await vault.ask(credentialPath)
    const ttlS = leaseId === '' ? Number(data['ttl'] ?? 0) : leaseDurationMs / 1_000
    return { username: `${data['username']}`, password: `${data['password']}`, leaseId, ttlS, renewable }
  } catch (error) {
    if (!(error instanceof VaultError)) throw error
    return failed(error.message, createHints[error.code] ?? 'Vault says why.', links.databases)
  }
}

const createHints: Readonly<Record<string, string>> = {
  ERR_VAULT_UNKNOWN_ROLE: 'Correct --role, or create it (vault-lease setup).',
  ERR_VAULT_NO_MOUNT: 'Correct --mount, or enable the engine: vault secrets enable database.',
  ERR_VAULT_ROLE_NOT_ALLOWED: 'Add the role to the allowed_roles of the connection.',
  ERR_VAULT_TIMEOUT:
    'Vault may be waiting for the database: is that up, and does the network let Vault through? A user that it makes all the same ends with its lease.',
  ERR_VAULT_DATABASE:
    'Look at the creation_statements, and whether Vault can log in to the database: vault write -f database/reset/…',
}

async function connectAs(
  note: Note,
  created: Created,
  database: Database | undefined,
  load: Load,
): Promise<readonly Named[]> {
  if (!database) {
    note('connect', skipped('name the database: --url'))
    return []
  }
  const session = await open(database, created)
  if ('status' in session) {
    note('connect', session)
    return []
  }
  try {
    note('connect', ok(database.place))
    const user = await session.user()
    if (!note('user', userFinding(created.username, user))) return []
    return await session.look(load)
  } catch (error) {
    note(
      'questions',
      failed(
        `${database.place} has not answered what it was asked: ${said(error, created)}`,
        'Look at its log, and run this again.',
      ),
    )
    return []
  } finally {
    await session.close()
  }
}

async function open(database: Database, login: Login): Promise<DatabaseSession | Finding> {
  try {
    return await openerFor(database)(database.urlFor(login))
  } catch (error) {
    return notConnected(database, error, said(error, login))
  }
}

function openerFor({ kind }: Database): OpenSession {
  if (kind === mysql) return openMysql
  return kind === mongodb ? openMongodb : openPostgresql
}

/** Drivers have no message of their own for an attempt at several addresses. */
function said(error: unknown, { password }: Login): string {
  if (error instanceof AggregateError)
    return error.errors.map((each) => said(each, { username: '', password })).join(', ')
  return error instanceof Error ? error.message.replaceAll(password, '…') : String(error)
}

function userFinding(expected: string, found: string): Finding {
  return found === expected
    ? ok('the one that was created')
    : failed(
        `the database says "${found}"`,
        'Something on the way logs in as somebody else, as PgBouncer can: connect without it, or have it pass users through.',
      )
}

const final = warning(
  'the lease cannot be renewed',
  'It is replaced at two thirds of its TTL: give the role a max_ttl above its default_ttl if that is too often.',
  links.leases,
)

async function renew(vault: VaultApi, { leaseId, ttlS, renewable }: Created): Promise<Finding> {
  if (!renewable) return final
  try {
    const { leaseDurationMs } = await vault.write('sys/leases/renew', { lease_id: leaseId, increment: ttlS })
    return ok(`for ${inWords(leaseDurationMs / 1_000)} more`)
  } catch (error) {
    if (!(error instanceof VaultError)) throw error
    if (error.code === 'ERR_VAULT_LEASE_FINAL') return final
    // That no policy allows it has been told.
    if (error.status === 403) return skipped('no policy allows it')
    return failed(
      error.message,
      'Look at the renew_statements of the role, and at the log of Vault.',
      links.roles,
    )
  }
}

async function revoke(
  note: Note,
  vault: VaultApi,
  created: Created,
  database: Database | undefined,
): Promise<void> {
  const { leaseId, ttlS } = created
  try {
    await vault.write('sys/leases/revoke', { lease_id: leaseId, sync: true })
  } catch (error) {
    if (!(error instanceof VaultError)) throw error
    note(
      'revoke',
      error.status === 403
        ? skipped(`no policy allows it: the user lives for ${inWords(ttlS)}`)
        : failed(
            error.message,
            `${revokeHint(error)} The user ${created.username} is left until it is revoked: ${leaseId}.`,
            links.roles,
          ),
    )
    return
  }
  note('revoke', ok('at once'))
  if (database) note('gone', await goneFrom(database, created))
}

/** What Vault says by itself is about the database. */
function revokeHint({ status }: VaultError): string {
  return status === 400 || status === 500
    ? 'Correct the revocation_statements of the role, and see that Vault reaches the database.'
    : 'Vault did not answer, and revokes it itself when its time is over.'
}

async function goneFrom(database: Database, created: Created): Promise<Finding> {
  try {
    const session = await openerFor(database)(database.urlFor(created))
    await session.close()
  } catch (error) {
    return database.kind.isRefusal(error)
      ? ok('the database does not know the user any more')
      : skipped(`${database.place} does not tell: ${said(error, created)}`)
  }
  return failed(
    `the user ${created.username} can still log in`,
    'The revocation_statements of the role do not drop it, or Vault works on another server than --url. Drop it: vault-lease orphans.',
    links.roles,
  )
}
