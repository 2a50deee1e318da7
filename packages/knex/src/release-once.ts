import type { KnexClient, KnexConnection, KnexRunner } from './knex-client.ts'

/**
 * A stream of knex 3 releases its connection twice: when the query is done, and when the reader has seen the end. By the
 * second time the connection may serve somebody else, who would then share it, or lose it to a rotation. Here each stream
 * releases once.
 */
export function releaseStreamsOnce(client: KnexClient): void {
  const makeRunner = client.runner.bind(client)
  client.runner = (builder) => {
    const runner = makeRunner(builder)
    runner.stream = streamReleasingOnce
    return runner
  }
}

/** One for all runners: every query has one, few are streams. */
function streamReleasingOnce(this: KnexRunner, ...args: unknown[]): unknown {
  this.client = releasingOnce(this.client)
  const { stream }: KnexRunner = Object.getPrototypeOf(this)
  return stream.apply(this, args)
}

function releasingOnce(client: KnexRunner['client']): KnexRunner['client'] {
  let released = false
  const releaseConnection = async (connection?: KnexConnection): Promise<void> => {
    // knex before 3.3 releases also when no connection could be acquired.
    if (released || !connection) return
    released = true
    await client.releaseConnection(connection)
  }
  return Object.create(client, { releaseConnection: { value: releaseConnection } })
}
