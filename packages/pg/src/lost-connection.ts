import { activeQueryOf, type PgClient, type WireConnection } from './driver.ts'

/** A cursor of pg-cursor, or a stream of pg-query-stream around one. */
interface CursorLike {
  readonly state?: string
  readonly cursor?: { readonly state?: string }
  handleReadyForQuery(connection: WireConnection): void
}

/**
 * Cursors wait for the server's ReadyForQuery when they are being closed and when their last rows have come. A lost
 * connection brings none, and a stream of pg-query-stream would hang for ever: so they are answered here.
 */
export function answerCursorsOnceLost(client: PgClient): void {
  const { connection } = client
  const answer = (): void => void connection.emit('readyForQuery', { status: 'I' })
  let complete: CursorLike | undefined
  // Heard before the client, which then forgets what it was doing.
  const remember = (): void => {
    const query = activeQueryOf(client) as CursorLike | null | undefined
    if (query && (query.cursor ?? query).state === 'done') complete = query
  }
  const onEnd = (): void => {
    complete?.handleReadyForQuery(connection)
    connection.close = () => void setImmediate(answer)
    answer()
  }
  connection.prependListener('error', remember)
  connection.prependListener('end', remember)
  // Before it has connected, the client takes ReadyForQuery for its success.
  client.once('connect', () => connection.once('end', () => process.nextTick(onEnd)))
}
