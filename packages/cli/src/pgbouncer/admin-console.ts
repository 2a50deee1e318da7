import type { Client } from 'pg'
import { detach } from './detached.ts'
import { PgBouncerError } from './pgbouncer-error.ts'

type Row = Readonly<Record<string, unknown>>

interface AdminConsoleOptions {
  /** How long a command may take, in milliseconds. Default: for ever. */
  readonly answerWithinMs?: number
}

/** PgBouncer's admin console. It speaks the protocol of PostgreSQL, with simple queries alone. */
export class AdminConsole implements AsyncDisposable {
  readonly #client: Client
  readonly #place: string

  private constructor(client: Client, place: string) {
    this.#client = client
    this.#place = place
  }

  /**
   * @param url such as `postgresql://admin@127.0.0.1:6432/pgbouncer`. Without a password it is PGPASSWORD, or that of ~/.pgpass.
   * @throws PgBouncerError retryable when nobody answers there, and not when it is answered with a no.
   */
  static async open(url: string, { answerWithinMs }: AdminConsoleOptions = {}): Promise<AdminConsole> {
    const { default: pg } = await import('pg')
    const client = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: 5_000,
      query_timeout: answerWithinMs,
    })
    client.on('error', () => {})
    const place = url.replace(/:\/\/[^@/]*@/, '://')
    try {
      await client.connect()
      return new AdminConsole(client, place)
    } catch (cause) {
      client.end().catch(() => {})
      if (!isAnswer(cause))
        throw new PgBouncerError(`PgBouncer does not answer at ${place}: ${messageOf(cause)}. Start it.`, {
          cause,
          retryable: true,
        })
      throw new PgBouncerError(
        `PgBouncer at ${place} refuses: ${messageOf(cause)}. The user has to be one of its admin_users, with the password in PGPASSWORD or ~/.pgpass.`,
        { cause },
      )
    }
  }

  /**
   * The rows that a command answers with.
   *
   * @throws PgBouncerError retryable when there was no answer.
   */
  async run(command: string): Promise<readonly Row[]> {
    try {
      const { rows } = await this.#client.query<Row>(command)
      return rows
    } catch (cause) {
      throw new PgBouncerError(`PgBouncer at ${this.#place} failed at ${command}: ${messageOf(cause)}.`, {
        cause,
        retryable: !isAnswer(cause),
      })
    }
  }

  /** Does not keep the process alive, however long a command takes. */
  detach(): void {
    detach(this.#client)
  }

  /** What runs fails. */
  async end(): Promise<void> {
    await this.#client.end().catch(() => {})
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end()
  }
}

/** Whether somebody has answered; also with a question for a password that the driver has not. */
function isAnswer(error: unknown): boolean {
  return error instanceof Error && ('severity' in error || error.message.startsWith('SASL'))
}

function messageOf(error: unknown): string {
  // An attempt at several addresses has no message of its own.
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ')
  return error instanceof Error ? error.message : String(error)
}
