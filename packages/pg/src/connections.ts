import {
  type Credential,
  CredentialNotProvenError,
  CredentialsUnavailableError,
  type LeaseManager,
  VaultLeaseError,
} from '@vault-lease/core'
import { notProven, type PoolHooks, RotatingConnections, stoppable } from '@vault-lease/core/adapter'
import type { Client } from 'pg'
import { closeUnderHolder } from './close.ts'
import { asPgClient, type PgClient, unsupportedOnceConnected } from './driver.ts'
import { answerCursorsOnceLost } from './lost-connection.ts'
import { answerChallenges } from './password.ts'
import { optionsWithRole, type SetRoleOptions } from './set-role.ts'

/** Where connections are made, and how. */
export interface PgPlace extends SetRoleOptions {
  /** Where that is, without a secret. */
  readonly place: string
  /** A new client of the driver with the caller's options, not yet connected. */
  newClient(): Client
}

/** What the pool around the connections has to offer. */
export interface PgPoolHooks extends PoolHooks {
  /** Begins to open the first client of the pool, if it has none, and keeps it. */
  openFirst?(): Promise<void> | undefined
}

/** A credential that a client of the pool proves. */
interface Proving {
  readonly credential: Credential
  client: PgClient | undefined
  accepted: boolean
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
  readonly #pool: PgPoolHooks
  /** While the pool makes the client that proves a credential. */
  #proving: Proving | undefined
  readonly #provers = new WeakMap<PgClient, Proving>()

  constructor(lease: LeaseManager, pool: PgPoolHooks, place: PgPlace) {
    super(lease, pool, {
      place: place.place,
      connectAs: (credential, signal) => this.#connectAs(credential, signal),
      askForUser,
      isLeaving: ({ _ending }) => _ending === true,
      closeUnderHolder,
    })
    this.#place = place
    this.#pool = pool
  }

  /** Whether the next client is the one that proves a credential: its place was kept for it. */
  get isProving(): boolean {
    return this.#proving !== undefined
  }

  /** Gives a client the user and password in force, or those to prove. Returns why it cannot, when there is none. */
  assignCredential(client: PgClient): Error | undefined {
    const proving = this.#proving
    const credential = proving?.credential ?? this.attachment.current
    if (!credential)
      return new CredentialsUnavailableError('No database credential may be used at this moment.')
    if (proving) {
      proving.client = client
      this.#provers.set(client, proving)
    }
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

  /** The driver waits without end for the end of a connection that the socket refused to begin, as for a port that is none. */
  neverOpened(client: PgClient): void {
    client.connection.stream.destroy()
    this.closed(client)
  }

  /** What a client proves that has just connected is asked before the pool may have it. */
  proves(client: PgClient): Promise<void> | undefined {
    const proving = this.#provers.get(client)
    return (
      proving &&
      this.#ask(client, proving.credential).then(() => {
        proving.accepted = true
      })
    )
  }

  async #connectAs(credential: Credential, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    try {
      await (this.#proveByFirst(credential, signal) ?? this.#proveApart(credential, signal))
    } catch (error) {
      if (error instanceof VaultLeaseError) throw error
      const { setRole } = this.#place
      if (setRole !== undefined && isAboutRole(error)) throw roleNotTaken(credential, setRole, error)
      throw notProven(credential, this.place, error, isRefusal(error) ? 'refused' : 'unreachable')
    }
  }

  /** By the first client of the pool. What fails when the server has answered, as a hook of the caller's, says nothing of the user. */
  #proveByFirst(credential: Credential, signal: AbortSignal): Promise<void> | undefined {
    const proving: Proving = { credential, client: undefined, accepted: false }
    this.#proving = proving
    const opened = this.#pool.openFirst?.()
    this.#proving = undefined
    const stop = (reason: Error): unknown => proving.client?.connection.stream.destroy(reason)
    return (
      opened &&
      stoppable(signal, stop, () => opened).catch((error: unknown) => {
        if (!proving.accepted) throw error
      })
    )
  }

  /** By a client that the pool does not know. */
  async #proveApart(credential: Credential, signal: AbortSignal): Promise<void> {
    const client = asPgClient(this.#place.newClient())
    client.once('end', () => this.closed(client))
    const stop = (reason: Error): unknown => client.connection.stream.destroy(reason)
    await stoppable(signal, stop, () => this.#checkUser(client, credential))
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
      this.loggedIn(client)
      const unsupported = unsupportedOnceConnected(client)
      if (unsupported) throw unsupported
      await this.#ask(client, credential)
    } finally {
      if (reached) await client.end()
      else this.neverOpened(client)
    }
  }

  async #ask(client: PgClient, credential: Credential): Promise<void> {
    // The rows are not read: they may go through type parsers of the caller's.
    const { rowCount } = await client.query('select 1 where session_user = $1', [credential.username])
    if (rowCount !== 1) throw new Error('the session belongs to another user')
    await this.#checkRole(client, credential)
  }

  async #checkRole(client: PgClient, credential: Credential): Promise<void> {
    const { setRole } = this.#place
    if (setRole === undefined) return
    const { rowCount } = await client.query('select 1 where current_user = $1', [setRole])
    if (rowCount !== 1) throw roleLost(credential, setRole)
  }

  #identify(client: PgClient, credential: Credential): void {
    const { username, password } = credential
    const { setRole } = this.#place
    client.user = username
    client.connectionParameters.user = username
    answerChallenges(client, password)
    if (setRole !== undefined) {
      const { options } = client.connectionParameters
      client.connectionParameters.options = optionsWithRole(options, setRole)
    }
    this.opening(client, credential)
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
