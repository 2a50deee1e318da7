import type { Duplex } from 'node:stream'
import type { Credential } from '@vault-lease/core'
import { settlesWithin, stoppable } from '@vault-lease/core/adapter'
import { type Greeting, logIn } from './login.ts'
import { farewell, MessageCutter, message, ServerError } from './messages.ts'
import type { Transport } from './transport.ts'

/** Who hears what comes over a connection. */
export interface Listener {
  data(chunk: Buffer): void
  drained?(): void
  /** The server has closed it, or it was lost. */
  closed(error: Error | undefined): void
}

/** A server that has not closed the connection in this time is left. */
const farewellMs = 2_000

/** A physical connection, which belongs to one user. */
export class Wire {
  readonly credential: Credential
  /** Which of the hosts it leads to. */
  readonly at: number
  /** Resolves when the server has closed it too, or it was lost. */
  readonly closed: Promise<void>
  /** It was told to end, because nobody uses it. */
  isLeaving = false
  #open: { readonly socket: Duplex; readonly greeting: Greeting } | undefined
  #listener: Listener | undefined
  #error: Error | undefined
  #hasClosed = (): void => {}

  constructor(credential: Credential, at: number) {
    this.credential = credential
    this.at = at
    this.closed = new Promise((resolve) => {
      this.#hasClosed = resolve
    })
  }

  get socket(): Duplex {
    return this.#opened.socket
  }

  get greeting(): Greeting {
    return this.#opened.greeting
  }

  get #opened(): { readonly socket: Duplex; readonly greeting: Greeting } {
    if (!this.#open) throw new Error('The connection is not open yet.')
    return this.#open
  }

  /**
   * Connects, and logs in with these parameters.
   *
   * @throws ServerError, the error of the connection, or the reason of the signal.
   */
  async open(
    transport: Transport,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      const socket = await transport.open(this.at, signal)
      const stop = (reason: Error): unknown => socket.destroy(reason)
      socket.on('error', (error) => {
        this.#error = error
      })
      socket.once('close', () => {
        this.#listener?.closed(this.#error)
        this.#hasClosed()
      })
      const greeting = await stoppable(signal, stop, () => logIn(socket, this.credential, parameters)).catch(
        (error: unknown) => {
          socket.destroy()
          throw error
        },
      )
      this.#open = { socket, greeting }
      socket.on('data', (chunk: Buffer) => this.#listener?.data(chunk))
      socket.on('drain', () => this.#listener?.drained?.())
    } catch (error) {
      this.#hasClosed()
      throw error
    }
  }

  /** Who hears from now on. */
  listen(listener: Listener | undefined): void {
    this.#listener = listener
  }

  /** Says farewell. Resolves when the server has closed it. */
  async leave(): Promise<void> {
    this.isLeaving = true
    await this.end()
  }

  /** The same under whoever uses it. */
  async end(): Promise<void> {
    this.socket.end(farewell)
    if (!(await settlesWithin(this.closed, farewellMs))) this.socket.destroy()
    await this.closed
  }

  /**
   * Asks the server, while nobody else uses the connection.
   *
   * @returns how many rows it has answered with.
   * @throws ServerError, or the loss of the connection.
   */
  async ask(statement: string): Promise<number> {
    const before = this.#listener
    const cutter = new MessageCutter()
    try {
      return await new Promise((resolve, reject) => {
        let rows = 0
        let refusal: ServerError | undefined
        this.#listener = {
          data(chunk) {
            for (const each of cutter.cut(chunk)) {
              if (each.type === 'D') rows++
              if (each.type === 'E') refusal = new ServerError(each)
              if (each.type !== 'Z') continue
              if (refusal) reject(refusal)
              else resolve(rows)
            }
          },
          closed(error) {
            before?.closed(error)
            reject(error ?? new Error('The server has closed the connection.'))
          },
        }
        this.socket.write(message('Q', `${statement}\0`))
      })
    } finally {
      this.#listener = before
    }
  }
}
