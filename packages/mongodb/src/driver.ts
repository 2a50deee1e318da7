import { Duplex } from 'node:stream'
import { InvalidOptionError, VaultLeaseError } from '@vault-lease/core'
import type { ClientSession, Document, MongoClient } from 'mongodb'

/** The copy of the driver that makes the clients. */
export interface MongoDriver {
  readonly MongoClient: typeof MongoClient
}

/** What the driver 7 has beyond its published types, and what is needed of it here. */
export interface Topology {
  readonly s: { readonly servers: ReadonlyMap<string, Server> }
  /** Who waits for a server to be selected. */
  readonly waitQueue: { readonly length: number }
  selectServer(selector: unknown, options: SelectOptions): Promise<Server>
  /** What is under way fails. */
  closeCheckedOutConnections(): void
  close(): void
}

export interface SelectOptions {
  readonly session?: Session | undefined
  readonly operationName: string
}

/** One server of a topology, with the pool of connections to it. */
export interface Server {
  /** Its address. */
  readonly name: string
  readonly pool: Pool
  command(operation: Operation, timeoutContext: unknown): Promise<unknown>
}

export interface CheckOutOptions {
  readonly timeoutContext: unknown
  readonly signal?: AbortSignal | undefined
}

export interface Pool {
  checkOut(options: CheckOutOptions): Promise<object>
  checkIn(connection: object): void
  /** How many there are, those that are being opened among them. */
  readonly totalConnectionCount: number
  /** Those that nobody uses. */
  readonly connections: Iterable<object>
  /** Those in use. */
  readonly checkedOut: Iterable<object>
  /** How many nobody uses. */
  readonly availableConnectionCount: number
  /** How many wait for one. */
  readonly waitQueueSize: number
}

export interface Namespace {
  readonly db: string
  readonly collection?: string | undefined
}

/** What is asked of a server. */
export interface Operation {
  readonly session: Session | undefined
  readonly ns: Namespace
  /** Of an aggregation. */
  readonly pipeline?: readonly Document[]
  /** Of a command that is given as a document. */
  readonly command?: Document
  /** Of getMore and killCursors. */
  readonly cursorId?: unknown
  readonly commandName: string
}

export interface Session extends ClientSession {
  /** A new one for each transaction. */
  readonly transaction: object
  /** Of a session that a cursor has made: the cursor. */
  readonly owner?: symbol | { selectedServer?: Server }
}

/** The answer to what opens or reads a cursor. */
export interface CursorResponse {
  /** A Long; 0 when the server has closed the cursor. It is read from the bytes of the answer each time. */
  readonly id: { isZero(): boolean }
  readonly ns: Namespace | null
  readonly batchSize: number
  readonly postBatchResumeToken: Document | null
}

/** Makes what logs connections in, one for each mechanism. */
export interface AuthProviders {
  getOrCreateProvider(mechanism: string, properties: object): AuthProvider
}

/** Logs in connections by one mechanism. */
export interface AuthProvider {
  /** Puts the beginning into the greeting of a new connection. */
  prepare(greeting: object, context: AuthContext): Promise<object>
  auth(context: AuthContext): Promise<void>
  /** Logs in a connection anew whose login the server does not accept any longer. */
  reauth(context: AuthContext): Promise<void>
}

/** What is known of one connection on the way to its login. */
export interface AuthContext {
  credentials: MongoCredentials
}

interface MongoCredentials {
  readonly constructor: new (options: object) => MongoCredentials
}

/** A MongoClient with what its types hide. */
export type ConnectedClient = MongoClient & { readonly topology: Topology }

/**
 * The topology of a connected client, once it is known to be what this package needs.
 *
 * @throws InvalidOptionError when this is not a driver that works the way this package needs.
 */
export function topologyOf(client: MongoClient): Topology {
  const { topology } = client as MongoClient & { readonly topology?: Topology }
  const [server] = topology?.s?.servers?.values?.() ?? []
  const { selectServer, closeCheckedOutConnections, waitQueue } = topology ?? {}
  const needed = [
    selectServer,
    closeCheckedOutConnections,
    server?.command,
    server?.pool.checkOut,
    server?.pool.checkIn,
    server?.pool.connections?.[Symbol.iterator],
    server?.pool.checkedOut?.[Symbol.iterator],
  ]
  const isKnown = needed.every((each) => typeof each === 'function') && Number.isInteger(waitQueue?.length)
  if (topology && isKnown) return topology
  throw unsupported('a connected client has no topology with servers and pools')
}

/**
 * What logs in the connections of a client.
 *
 * @throws InvalidOptionError when this is not a driver that works the way this package needs.
 */
export function authProvidersOf(client: MongoClient): AuthProviders {
  const { s } = client as MongoClient & { readonly s?: { readonly authProviders?: AuthProviders } }
  const providers = s?.authProviders
  const { prepare, auth, reauth } = providers?.getOrCreateProvider?.('SCRAM-SHA-256', {}) ?? {}
  const works = [prepare, auth, reauth].every((each) => typeof each === 'function')
  if (providers && works) return providers
  throw unsupported('a client does not tell what logs in its connections')
}

/** @throws InvalidOptionError when a connection of this driver does not tell its socket. */
export function socketOf(connection: object): Duplex {
  if ('socket' in connection && connection.socket instanceof Duplex) return connection.socket
  throw unsupported('a connection has no socket')
}

function unsupported(why: string): InvalidOptionError {
  return new InvalidOptionError(
    `This version of mongodb is not supported: ${why}. Use mongodb 7, or upgrade @vault-lease/mongodb.`,
  )
}

/** AuthenticationFailed, on the way to a connection. */
const authenticationFailed = 18
/** Unauthorized: the user may not do this, or is no more. */
const unauthorized = 13

/** The server did not accept the user of a new connection, of this operation or of another. */
export function isRefusal(error: unknown): boolean {
  if (isPoolCleared(error)) return isRefusal((error as Error).cause)
  return hasCode(error, authenticationFailed) && hasLabel(error, 'HandshakeError')
}

export function isDenial(error: unknown): boolean {
  return hasCode(error, unauthorized)
}

/** The server has said so. */
export function isAnswer(error: unknown): boolean {
  return error instanceof Error && 'errorResponse' in error
}

/** The pool gave no connection because another one to the same server had failed: nothing was sent. */
export function isPoolCleared(error: unknown): boolean {
  return error instanceof Error && error.name === 'MongoPoolClearedError'
}

/** The driver asks what an operation fails with for its labels, also when it is no error of its own. */
export function failWithLabels(error: unknown): never {
  if (!(error instanceof VaultLeaseError) || 'hasErrorLabel' in error) throw error
  throw Object.defineProperty(error, 'hasErrorLabel', { value: () => false })
}

function hasCode(error: unknown, code: number): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function hasLabel(error: unknown, label: string): boolean {
  return error instanceof Error && 'errorLabelSet' in error && (error.errorLabelSet as Set<string>).has(label)
}

export function isCursorResponse(response: unknown): response is CursorResponse {
  return typeof response === 'object' && response !== null && 'postBatchResumeToken' in response
}

export function isCommit({ command }: Operation): boolean {
  return command !== undefined && 'commitTransaction' in command
}
