import {
  type Credential,
  CredentialNotProvenError,
  CredentialsUnavailableError,
  type LeaseManager,
  VaultLeaseError,
} from '@vault-lease/core'
import {
  hidePassword,
  notProven,
  type PoolHooks,
  RotatingConnections,
  stoppable,
} from '@vault-lease/core/adapter'
import type { Client } from 'pg'
import { closeUnderHolder } from './close.ts'
import { asPgClient, type PgClient, unsupportedOnceConnected } from './driver.ts'
import { answerCursorsOnceLost } from './lost-connection.ts'
import { optionsWithRole, type SetRoleOptions } from './set-role.ts'

/** Where connections are made, and how. */
export interface PgPlace extends SetRoleOptions {
  /** Where that is, without a secret. */
  readonly place: string
  /** A new client of the driver with the caller's options, not yet connected. */
  newClient(): Client
}

const invalidPassword = '28P01'
const invalidAuthorization = '28000'
const insufficientPrivilege = '42501'
const invalidParameterValue = '22023'
/** What a session hears that asks for its user when that was dropped (seen on PostgreSQL 15: "invalid role OID"). */
const undefinedObject = '42704'

/** The physical PostgreSQL connections of one pool. */
export class PgConnections extends RotatingConnections<PgClient> {
  readonly #place: PgPlace

  constructor(lease: LeaseManager, pool: PoolHooks, place: PgPlace) {
    super(lease, pool, {
      place: place.place,
      connectAs: (credential, signal) => this.#connectAs(asPgClient(place.newClient()), credential, signal),
      askForUser,
      closeUnderHolder,
    })
    this.#place = place
  }

  /** Gives a client the user and password in force. Returns why it cannot, when there is none. */
  assignCredential(client: PgClient): Error | undefined {
    const credential = this.attachment.current
    if (!credential)
      return new CredentialsUnavailableError('No database credential may be used at this moment.')
    this.#identify(client, credential)
    client.connection.on('errorMessage', (message: unknown) => {
      if (codeOf(message) === insufficientPrivilege) this.denied(client)
    })
    return undefined
  }

  /** Remembers which credential the server refused. */
  noteError(client: PgClient, error: Error): void {
    const credential = this.credentialOf(client)
    if (credential && isRefusal(error)) this.noteRefusal(credential, error)
  }

  async #connectAs(client: PgClient, credential: Credential, signal: AbortSignal): Promise<void> {
    const stop = (reason: Error): unknown => client.connection.stream.destroy(reason)
    try {
      await stoppable(signal, stop, () => this.#checkUser(client, credential))
    } catch (error) {
      if (error instanceof VaultLeaseError) throw error
      const { setRole } = this.#place
      if (setRole !== undefined && isAboutRole(error)) throw roleNotTaken(credential, setRole, error)
      throw notProven(credential, this.place, error, isRefusal(error) ? 'refused' : 'unreachable')
    }
  }

  async #checkUser(client: PgClient, credential: Credential): Promise<void> {
    let reached = false
    client.connection.stream.once('connect', () => {
      reached = true
    })
    this.#identify(client, credential)
    // What was asked reports the loss of the connection; without a listener the event would end the process.
    client.on('error', () => {})
    try {
      await client.connect()
      const unsupported = unsupportedOnceConnected(client)
      if (unsupported) throw unsupported
      // The rows are not read: they may go through type parsers of the caller's.
      const { rowCount } = await client.query('select 1 where session_user = $1', [credential.username])
      if (rowCount !== 1) throw new Error('the session belongs to another user')
      await this.#checkRole(client, credential)
    } finally {
      if (reached) await client.end()
      else this.#neverOpened(client)
    }
  }

  async #checkRole(client: PgClient, credential: Credential): Promise<void> {
    const { setRole } = this.#place
    if (setRole === undefined) return
    const { rowCount } = await client.query('select 1 where current_user = $1', [setRole])
    if (rowCount !== 1) throw roleLost(credential, setRole)
  }

  /** The driver waits without end for the end of a connection that the socket refused to begin, as for a port that is none. */
  #neverOpened(client: PgClient): void {
    client.connection.stream.destroy()
    this.closed(client)
  }

  #identify(client: PgClient, credential: Credential): void {
    const { username, password } = credential
    const { setRole } = this.#place
    client.user = username
    client.connectionParameters.user = username
    for (const holder of [client, client.connectionParameters]) hidePassword(holder, password)
    if (setRole !== undefined) {
      const { options } = client.connectionParameters
      client.connectionParameters.options = optionsWithRole(options, setRole)
    }
    this.opening(client, credential)
    client.once('end', () => this.closed(client))
    answerCursorsOnceLost(client)
  }
}

/** In a transaction that has failed the server answers nothing of the kind. */
async function askForUser(client: PgClient): Promise<'exists' | 'gone' | 'unknown'> {
  try {
    await client.query('select session_user')
    return 'exists'
  } catch (error) {
    if (codeOf(error) === undefinedObject) return 'gone'
    if (client.connection.stream.destroyed) throw error
    return 'unknown'
  }
}

/** The server does not know the role, or does not let the user take it. */
function isAboutRole(error: unknown): boolean {
  const aboutRole = error instanceof Error && /\brole\b/.test(error.message)
  return aboutRole && (codeOf(error) === insufficientPrivilege || codeOf(error) === invalidParameterValue)
}

function roleNotTaken({ username }: Credential, setRole: string, cause: unknown): CredentialNotProvenError {
  const message = cause instanceof Error ? cause.message : String(cause)
  return new CredentialNotProvenError(
    `The user "${username}" cannot work as the role "${setRole}" (option setRole): ${message}. ` +
      'Create the role, and make the user a member of it in the creation_statements: CREATE ROLE "{{name}}" … IN ROLE <role>.',
    { cause, refused: false },
  )
}

function roleLost({ username }: Credential, setRole: string): CredentialNotProvenError {
  return new CredentialNotProvenError(
    `The user "${username}" has logged in, but does not work as the role "${setRole}" (option setRole): what it creates would be lost with it. ` +
      'Something on the way leaves out the start-up option "options", as PgBouncer does where its ignore_startup_parameters has it: connect without it, or have the creation_statements set the role: ALTER ROLE "{{name}}" SET role = <role>.',
    { refused: false },
  )
}

function isRefusal(error: unknown): boolean {
  const code = codeOf(error)
  return code === invalidPassword || code === invalidAuthorization
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
