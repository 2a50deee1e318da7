import type { Document } from 'mongodb'
import { type CursorResponse, isZero, type Operation } from './driver.ts'
import type { Generation } from './generation.ts'

/** An aggregation of the driver. */
interface Aggregation extends Operation {
  readonly pipeline: readonly Document[]
}

/** How far a change stream was read, and on which client. */
export interface ChangeStreamPosition {
  readonly opening: Aggregation
  readonly generation: Generation
  /** The cursor on the server of that client. */
  readonly cursorId: unknown
  /** After everything that was given out, and before everything that was not. */
  readonly token: Document | null
  readonly received: boolean
}

export function opensChangeStream(operation: Operation): operation is Aggregation {
  return Boolean(operation.pipeline?.[0]?.['$changeStream'])
}

/** Where a change stream stands after an answer; `undefined` when the server has closed it. */
export function positionAfter(
  { opening, token, received }: Pick<ChangeStreamPosition, 'opening' | 'token' | 'received'>,
  generation: Generation,
  response: CursorResponse,
): ChangeStreamPosition | undefined {
  if (isZero(response.id)) return undefined
  return {
    opening,
    generation,
    cursorId: response.id,
    token: response.postBatchResumeToken ?? token,
    received: received || response.batchSize > 0,
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
