/** A server cannot be had on this machine. The message says how to get it. */
export class ServerUnavailableError extends Error {
  override readonly name = 'ServerUnavailableError'
}
