import {
  type ChangeStreamPosition,
  opensChangeStream,
  positionAfter,
  reopening,
  takeAlong,
} from './change-stream.ts'
import {
  isAnswer,
  isCursorResponse,
  isDenial,
  isPoolCleared,
  isRefusal,
  isZero,
  type Operation,
  type Server,
} from './driver.ts'
import type { Generation } from './generation.ts'
import { type SessionUse, useOf } from './session-use.ts'

/** What a server of the driver does with an operation. */
export type Run = Server['command']

/** A connection was taken, and not used: its user is not in force any more. */
export class NotSentError extends Error {}

/**
 * Runs an operation on a server of a generation, and keeps account of what it opens there. What the server has not got,
 * because its user is no more, is done on the client in force; everything else fails as it does in the driver.
 */
export async function runOn(
  generation: Generation,
  server: Server,
  run: Run,
  operation: Operation,
  timeoutContext: unknown,
): Promise<unknown> {
  const use = operation.session && useOf(operation.session)
  if (!use) return await run(operation, timeoutContext)
  const loss = use.lossFor(operation)
  if (loss) throw loss
  const stream = changeStreamRead(use, operation)
  const watching = stream !== undefined
  generation.begin(use, watching)
  try {
    const sent = await onThisClient(generation, operation, stream)
    generation.takesFor(use)
    const response = await run(sent, timeoutContext)
    if (stream && sent !== operation) takeAlong(stream, server)
    note(generation, use, operation, response, stream)
    return response
  } catch (error) {
    const next = await elsewhere(generation, use, error, watching)
    return await (await next.serverAt(server.name)).command(operation, timeoutContext)
  } finally {
    if (operation.commandName === 'killCursors') use.cursorClosed(`${operation.cursorId}`)
    generation.end(use, watching)
  }
}

function changeStreamRead(use: SessionUse, operation: Operation): ChangeStreamPosition | undefined {
  return operation.commandName === 'getMore' ? use.changeStreams?.get(`${operation.cursorId}`) : undefined
}

/** To read on in a change stream that began on another client is to open it here. */
async function onThisClient(
  generation: Generation,
  operation: Operation,
  stream: ChangeStreamPosition | undefined,
): Promise<Operation> {
  if (!stream || stream.generation === generation) return operation
  await stream.generation.closeCursorOf(stream)
  return reopening(stream)
}

function note(
  generation: Generation,
  use: SessionUse,
  operation: Operation,
  response: unknown,
  stream: ChangeStreamPosition | undefined,
): void {
  use.answered()
  if (!isCursorResponse(response)) return
  const id = `${response.id}`
  const open = !isZero(response.id)
  if (operation.cursorId && (!open || stream)) use.cursorClosed(`${operation.cursorId}`)
  if (!open) return
  if (stream) use.watching(id, positionAfter(stream, generation, response))
  else if (opensChangeStream(operation)) {
    const start = { opening: operation, namespace: operation.ns, token: null, received: false }
    use.watching(id, positionAfter(start, generation, response))
  } else use.cursorOpened(id)
}

/** Which generation can do what has failed; throws what the caller is to know when there is none. */
async function elsewhere(
  generation: Generation,
  use: SessionUse,
  error: unknown,
  watching: boolean,
): Promise<Generation> {
  const { number, ended, surroundings } = generation
  const { lease } = surroundings
  if (ended && !watching && !isAnswer(error)) throw ended()
  if (isDenial(error)) lease.suspected(number)
  const refused = isRefusal(error)
  const notSent = refused || isPoolCleared(error) || error instanceof NotSentError
  if (!(notSent ? use.movable : ended)) throw error
  if (refused) await lease.refused(number)
  const next = await surroundings.current()
  if (next === generation) throw error
  return next
}
