import { MessageCutter, nothingRuns } from './messages.ts'

/**
 * The answer to what the driver asks on each new connection before anything else: the types of arrays. Nobody takes the rejection
 * when that fails, which would end the process. So the driver gets the answer as a whole, or hears that there are no such types.
 */
export class TypesAnswer {
  readonly #cutter = new MessageCutter()
  readonly #heard: Buffer[] = []
  #bytes = 0
  #hasFailed = false

  /** Takes what the server says, and gives what the driver is to hear once the answer is over, and what has come after it. */
  hears(chunk: Buffer): Buffer | undefined {
    this.#heard.push(chunk)
    for (const { type, bytes } of this.#cutter.cut(chunk)) {
      this.#bytes += bytes.length
      this.#hasFailed ||= type === 'E'
      if (type === 'Z') return this.#whole()
    }
    return undefined
  }

  #whole(): Buffer {
    const heard = Buffer.concat(this.#heard)
    return this.#hasFailed ? Buffer.concat([nothingRuns, heard.subarray(this.#bytes)]) : heard
  }
}
