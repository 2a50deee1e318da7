import {
  type ChangeStreamPosition,
  type CursorHolder,
  opensChangeStream,
  positionAfter,
  reopening,
  takeAlong,
} from './change-stream.ts'
import {
  type CursorResponse,
  failWithLabels,
  isAnswer,
  isCursorResponse,
  isDenial,
  isPoolCleared,
  isRefusal,
  type Operation,
  type Server,
  type Session,
} from './driver.ts'
import { knownUseOf, type SessionUse, useOf } from './session-use.ts'

/** What a server of the driver does with an operation. */
export type Run = Server['command']

/** The client on which operations run, and what there is beside it. */
export interface Runner extends CursorHolder {
  /** Why what is bound to it cannot go on, once it was ended. */
  readonly ended: (() => Error) | undefined
  /** An operation begins here: of a session, or of nobody as long as nothing is bound. */
  begin(use: SessionUse | undefined, watching: boolean): void
  /** The next connection is taken, in the same breath, for the operation of the session, or of nobody. */
  takesFor(use: SessionUse | undefined): void
  /** It has ended. */
  end(use: SessionUse | undefined, watching: boolean): void
  /** The session has something here from now on. */
  remember(use: SessionUse): void
  /** The server that has this address. */
  serverAt(name: string): Promise<Server>
  /** The server denied what it would also deny to a user that is no more. */
  suspected(): void
  /** The server did not accept the user. Resolves with whether there is a newer one. */
  refused(error: unknown): Promise<boolean>
  /** The client that new operations go to. */
  current(): Promise<Runner>
}

/** A connection was taken, and not used: its user is not in force any more. */
export class NotSentError extends Error {}

/**
 * Runs an operation on a server of a client, and keeps account of what it opens there. What the server has not got,
 * because its user is no more, is done on the client in force; everything else fails as it does in the driver.
 */
export async function runOn(
  client: Runner,
  server: Server,
  run: Run,
  operation: Operation,
  timeoutContext: unknown,
): Promise<unknown> {
  const { session } = operation
  if (!session) return await run(operation, timeoutContext)
  const use = knownUseOf(session)
  const loss = use?.lossFor(operation)
  if (loss) return failWithLabels(loss)
  const stream = use && changeStreamRead(use, operation)
  const watching = stream !== undefined
  let next: Runner
  client.begin(use, watching)
  try {
    const sent = stream && stream.holder !== client ? await reopened(stream) : operation
    client.takesFor(use)
    const response = await run(sent, timeoutContext)
    if (stream && sent !== operation) takeAlong(stream, server)
    use?.answered()
    if (isCursorResponse(response)) note(client, session, operation, response, stream)
    return response
  } catch (error) {
    next = await elsewhere(client, use, error, watching).catch(failWithLabels)
  } finally {
    if (operation.commandName === 'killCursors') use?.cursorClosed(`${operation.cursorId}`)
    client.end(use, watching)
  }
  return await (await next.serverAt(server.name)).command(operation, timeoutContext)
}

function changeStreamRead(use: SessionUse, operation: Operation): ChangeStreamPosition | undefined {
  return operation.commandName === 'getMore' ? use.changeStreams?.get(`${operation.cursorId}`) : undefined
}

/** To read on in a change stream that began on another client is to open it here. */
async function reopened(stream: ChangeStreamPosition): Promise<Operation> {
  await stream.holder.closeCursorOf(stream)
  return reopening(stream)
}

function note(
  client: Runner,
  session: Session,
  operation: Operation,
  response: CursorResponse,
  stream: ChangeStreamPosition | undefined,
): void {
  const { id: cursorId } = response
  const open = !cursorId.isZero()
  if (operation.cursorId && (!open || stream)) knownUseOf(session)?.cursorClosed(`${operation.cursorId}`)
  if (!open) return
  const use = useOf(session)
  const id = `${cursorId}`
  if (stream) use.watching(id, positionAfter(stream, client, response))
  else if (opensChangeStream(operation)) {
    const start = { opening: operation, namespace: operation.ns, token: null, received: false }
    use.watching(id, positionAfter(start, client, response))
  } else use.cursorOpened(id)
  client.remember(use)
}

/** Which client can do what has failed, be it the same; throws what the caller is to know when there is none. */
async function elsewhere(
  client: Runner,
  use: SessionUse | undefined,
  error: unknown,
  watching: boolean,
): Promise<Runner> {
  const { ended } = client
  if (ended && !watching && !isAnswer(error)) throw ended()
  if (isDenial(error)) client.suspected()
  const refused = isRefusal(error)
  const knowsAnother = refused && (await client.refused(error))
  // It may only have been another password of the same user.
  if (knowsAnother && (await client.current()) === client) return client
  const notSent = refused || isPoolCleared(error) || error instanceof NotSentError
  if (!(notSent ? !use || use.movable : ended)) throw error
  const next = await client.current()
  if (next === client) throw error
  return next
}
