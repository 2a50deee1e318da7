import type { PgClient } from './driver.ts'

/**
 * A cursor that is being closed waits for the server's ReadyForQuery. On a lost connection none comes, and a stream of
 * pg-query-stream, which closes its cursor before it tells its error, would hang for ever: so it is answered here.
 */
export function answerCursorsOnceLost(client: PgClient): void {
  const { connection } = client
  const answer = (): void => void connection.emit('readyForQuery', { status: 'I' })
  const onEnd = (): void => {
    connection.close = () => void setImmediate(answer)
    answer()
  }
  // Before it has connected, the client takes ReadyForQuery for its success.
  client.once('connect', () => client.once('end', onEnd))
}
