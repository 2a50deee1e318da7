import { once } from 'node:events'
import { PassThrough, type Readable } from 'node:stream'
import type { ChangeStream, ChangeStreamDocument, Collection, MongoClient } from 'mongodb'

/** Tells which users change, as server-sent events. Each change stream keeps a connection busy, so all listeners share one. */
export class UserChanges {
  readonly #users: Collection
  readonly #listeners = new Set<PassThrough>()
  #watching: Promise<ChangeStream> | undefined

  constructor(client: MongoClient) {
    this.#users = client.db().collection('users')
  }

  /** The events from now on. */
  async listen(): Promise<Readable> {
    this.#watching ??= this.#watch()
    await this.#watching
    const listener = new PassThrough()
    this.#listeners.add(listener)
    listener.once('close', () => this.#listeners.delete(listener))
    listener.write('retry: 1000\n\n')
    return listener
  }

  async close(): Promise<void> {
    const watching = this.#watching
    this.#end()
    await (await watching)?.close()
  }

  async #watch(): Promise<ChangeStream> {
    const changes = this.#users.watch()
    changes.on('change', (change) => this.#tell(change))
    changes.on('error', () => this.#end())
    await once(changes, 'resumeTokenChanged')
    return changes
  }

  #tell(change: ChangeStreamDocument): void {
    if (!('documentKey' in change)) return
    const { operationType, documentKey } = change
    const data = JSON.stringify({ id: documentKey._id })
    const event = `event: ${operationType}\ndata: ${data}\n\n`
    for (const listener of this.#listeners) {
      // Who does not keep up is to ask again.
      if (!listener.write(event)) listener.destroy()
    }
  }

  /** Browsers ask again by themselves. */
  #end(): void {
    this.#watching = undefined
    for (const listener of this.#listeners) listener.end()
  }
}
