import type { Document } from 'mongodb'
import type { CursorResponse, Namespace, Operation, Server } from './driver.ts'

/** An aggregation of the driver. */
interface Aggregation extends Operation {
  readonly pipeline: readonly Document[]
  server?: Server
}

/** The client on whose server the cursor of a change stream is. */
export interface CursorHolder {
  /** Closes the cursor of a change stream that goes on elsewhere. */
  closeCursorOf(position: ChangeStreamPosition): Promise<void>
}

/** How far a change stream was read, and on which client. */
export interface ChangeStreamPosition {
  readonly opening: Aggregation
  readonly holder: CursorHolder
  /** The cursor on the server of that client. */
  readonly cursorId: unknown
  readonly namespace: Namespace
  /** After everything that was given out, and before everything that was not. */
  readonly token: Document | null
  readonly received: boolean
}

export function opensChangeStream(operation: Operation): operation is Aggregation {
  return Boolean(operation.pipeline?.[0]?.['$changeStream'])
}

/** Where a change stream stands after an answer. */
export function positionAfter(
  before: Omit<ChangeStreamPosition, 'holder' | 'cursorId'>,
  holder: CursorHolder,
  response: CursorResponse,
): ChangeStreamPosition {
  return {
    opening: before.opening,
    holder,
    cursorId: response.id,
    namespace: response.ns ?? before.namespace,
    token: response.postBatchResumeToken ?? before.token,
    received: before.received || response.batchSize > 0,
  }
}

/**
 * The operation that opens the stream again where it stood. Its first batch is to the driver's cursor what the next
 * batch of the old one would have been.
 *
 * Where to resume: MongoDB's specification "Change Streams", "Resume Process".
 */
export function reopening({ opening, token, received }: ChangeStreamPosition): Aggregation {
  const [first, ...stages] = opening.pipeline
  const { resumeAfter, startAfter, startAtOperationTime, ...options } = first?.['$changeStream'] ?? {}
  const where = startAfter && !received ? { startAfter: token } : { resumeAfter: token }
  const pipeline = [{ $changeStream: { ...options, ...where } }, ...stages]
  return Object.create(opening, { pipeline: { value: pipeline } })
}

/** Else what goes on, the driver's cursor and what opened it, would keep the client on which it began. */
export function takeAlong({ opening }: ChangeStreamPosition, server: Server): void {
  opening.server = server
  const cursor = opening.session?.owner
  if (typeof cursor === 'object') cursor.selectedServer = server
}
