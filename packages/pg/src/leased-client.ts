import type { Client, ClientConfig } from 'pg'
import { leaveInTime } from './close.ts'
import type { PgConnections } from './connections.ts'
import { asPgClient, asStream, type ClientClass, type PgClient, unsupportedOnceConnected } from './driver.ts'

type Connected = (error: Error | null) => void

/** A client class whose connections are made with the credential in force at the moment they are opened. */
export function leasedClient(Base: ClientClass, connections: PgConnections): ClientClass {
  return class LeasedClient extends Base {
    readonly #openStream: ClientConfig['stream']

    constructor(config: string | ClientConfig = {}) {
      const { stream, ...rest } = typeof config === 'string' ? { connectionString: config } : config
      super(stream ? rest : config)
      this.#openStream = stream
    }

    override connect(): Promise<Client>
    override connect(callback: Connected): void
    override connect(callback?: Connected): Promise<Client> | undefined {
      if (callback) {
        this.#open(callback)
        return undefined
      }
      return new Promise((resolve, reject) => {
        this.#open((error) => (error ? reject(error) : resolve(this)))
      })
    }

    /**
     * In place of listeners: pg.Pool adds and removes one at each checkout, which takes a tenth of a microsecond less when it is the only one.
     * Queries report the loss of a connection to whoever made them: where nobody listens, the event would end the process.
     */
    override emit(event: string | symbol, ...values: unknown[]): boolean {
      if (event === 'end') connections.closed(asPgClient(this))
      if (event === 'error' && this.listenerCount('error') === 0) return false
      return super.emit(event, ...values)
    }

    override end(): Promise<void>
    override end(callback: Connected): void
    override end(callback?: Connected): Promise<void> | undefined {
      leaveInTime(asPgClient(this))
      if (!callback) return super.end()
      super.end(callback)
      return undefined
    }

    #open(connected: Connected): void {
      const room = connections.isProving ? undefined : connections.whenRoom()
      if (room) void room.then(() => this.#open(connected))
      else this.#openNow(connected)
    }

    #openNow(connected: Connected): void {
      const client = asPgClient(this)
      if (client.connection.stream.destroyed) {
        process.nextTick(connected, new Error('The connection was given up before it was opened.'))
        return
      }
      const unavailable = connections.assignCredential(client)
      if (unavailable) {
        process.nextTick(connected, unavailable)
        return
      }
      try {
        // Opened with the client it would have connected, or failed, while there was no room, and nobody would have listened.
        if (this.#openStream) client.connection.stream = asStream(this.#openStream())
        super.connect((error: Error | null) => this.#answered(client, connected, error))
      } catch (error) {
        // The pool that has made it would keep its place.
        connections.neverOpened(client)
        process.nextTick(connected, error as Error)
      }
    }

    #answered(client: PgClient, connected: Connected, error: Error | null): void {
      if (error) {
        connections.noteError(client, error)
        connected(error)
        return
      }
      connections.opened(client)
      // The driver makes the rest of its parts when it has called back.
      queueMicrotask(() => this.#answerOnceProven(client, connected))
    }

    #answerOnceProven(client: PgClient, connected: Connected): void {
      const answer = (failure?: Error): void => this.#answer(connected, failure)
      const unsupported = unsupportedOnceConnected(client)
      const proving = unsupported ? undefined : connections.proves(client)
      if (proving) proving.then(() => answer(), answer)
      else answer(unsupported)
    }

    /** What a connection fails with that the pool never gets has to be closed here. */
    #answer(connected: Connected, error: Error | undefined): void {
      if (error) void this.end()
      connected(error ?? null)
    }
  }
}
