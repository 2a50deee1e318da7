import { once } from 'node:events'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import { stoppable } from '@vault-lease/core/adapter'
import type { ParsedOptions } from './driver.ts'
import { sslRequest } from './messages.ts'

/** How the server is reached: options of the driver. */
export type TransportOptions = Pick<
  ParsedOptions,
  'host' | 'port' | 'path' | 'ssl' | 'sslnegotiation' | 'socket' | 'keep_alive'
>

const yes = 'S'.charCodeAt(0)

/** Opens connections to the server or, where there are several, to each of them, encrypted where that is wanted. */
export class Transport {
  readonly #options: TransportOptions
  #turn = 0

  constructor(options: TransportOptions) {
    this.#options = options
  }

  /** Every host, by its place in the options, beginning with the one whose turn it is. */
  turns(): number[] {
    const { length } = this.#options.host
    const first = this.#turn++
    return Array.from({ length }, (_, turn) => (first + turn) % length)
  }

  /** Opens a connection to one of the hosts. */
  open(at: number, signal: AbortSignal): Promise<Duplex> {
    const { host, port } = this.#options
    return this.#openTo(host[at] ?? '', port[at] ?? 0, signal)
  }

  async #openTo(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
    const { path, ssl, socket: openSocket, keep_alive } = this.#options
    if (openSocket) {
      const own = await openSocket(this.#options)
      return await stopped(own, signal, () => (ssl ? this.#encrypted(own, host) : Promise.resolve(own)))
    }
    const socket = new net.Socket()
    return await stopped(socket, signal, async () => {
      if (path) socket.connect(path)
      else socket.connect(port, host)
      await once(socket, 'connect')
      if (keep_alive) socket.setKeepAlive(true, 1_000 * keep_alive)
      return ssl ? await this.#encrypted(socket, host) : socket
    })
  }

  async #encrypted(socket: Duplex, host: string): Promise<Duplex> {
    const { ssl, sslnegotiation } = this.#options
    if (sslnegotiation !== 'direct') {
      socket.write(sslRequest)
      if ((await firstByte(socket)) !== yes) {
        if (ssl === 'prefer') return socket
        throw new Error('The server does not support SSL connections.')
      }
    }
    const unchecked = ssl === 'require' || ssl === 'allow' || ssl === 'prefer'
    const secure = tls.connect({
      socket,
      // Compared with the certificate.
      host,
      ...(net.isIP(host) ? {} : { servername: host }),
      ...(sslnegotiation === 'direct' ? { ALPNProtocols: ['postgresql'] } : {}),
      ...(unchecked ? { rejectUnauthorized: false } : {}),
      ...(typeof ssl === 'object' ? ssl : {}),
    })
    await once(secure, 'secureConnect')
    return secure
  }
}

/** @throws when the connection ends before. */
function firstByte(socket: Duplex): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const heard = (chunk: Buffer): void => {
      // What comes next is for whoever reads on.
      socket.pause().off('close', closed)
      resolve(chunk[0])
    }
    const closed = (): void => reject(new Error('The server has closed the connection.'))
    socket.once('data', heard).once('error', reject).once('close', closed)
  })
}

/** Does the work on a socket, which is destroyed when that fails, or with the signal. */
async function stopped<T>(socket: Duplex, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  // What waits on the socket hears of its errors; without a listener one that comes late would end the process.
  socket.on('error', () => {})
  try {
    return await stoppable(signal, (reason) => socket.destroy(reason), work)
  } catch (error) {
    socket.destroy()
    throw error
  }
}
