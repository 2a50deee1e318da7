import { Socket } from 'node:net'

/** A server that does not answer the farewell is left after this time. */
const farewellMs = 2_000

/**
 * A socket that is closed when the server has closed its side too. The driver destroys its socket as soon as it has sent its
 * farewell, when the session is still open on the server.
 */
export class FarewellSocket extends Socket {
  /** Resolves when both sides have closed. */
  readonly whenClosed: Promise<void>
  readonly #onClosed: () => void
  readonly #underTls: boolean
  #leaving = false

  /**
   * @param underTls The driver puts TLS over it, which then reads in its place: the end of the server's side cannot be seen, and
   * what the server says to a bare end would be an error that nobody hears. So it is closed as soon as the farewell is sent.
   */
  constructor(underTls = false) {
    super()
    this.#underTls = underTls
    let onClosed = (): void => {}
    this.whenClosed = new Promise((resolve) => {
      onClosed = resolve
    })
    this.#onClosed = onClosed
  }

  /** The driver has said its farewell, and waits for the server's. */
  get isLeaving(): boolean {
    return this.#leaving
  }

  override destroy(error?: Error): this {
    if (error || this.#underTls || this.connecting || this.readableEnded) return super.destroy(error)
    if (this.#leaving) return this
    this.#leaving = true
    // The driver has removed its listeners, or does so now.
    this.on('error', () => {})
    this.setTimeout(farewellMs, () => this.abandon())
    this.end()
    return this.resume()
  }

  /** Closes this side at once. */
  abandon(): void {
    super.destroy()
  }

  /** The driver lets go of a socket that it has destroyed, but somebody waits for the farewell. */
  override unref(): this {
    return this
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    super._destroy(error, callback)
    this.#onClosed()
  }
}
