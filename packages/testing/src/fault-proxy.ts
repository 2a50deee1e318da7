import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a fault proxy does with connections. */
export type Fault =
  | { readonly kind: 'none' }
  /** Every part of what comes is passed on this many milliseconds later, and its end too. No connection is reset for it, or when it is over. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** Connections are reset, those that are open and those that are made. */
  | { readonly kind: 'cut' }
  /** Open connections are reset; new ones are accepted, and nothing is passed on. */
  | { readonly kind: 'hang' }
  /** Nothing is passed on in connections that are open now, not even their end; new ones pass. */
  | { readonly kind: 'freeze' }
  /** Whatever is asked, this is answered as it is. */
  | { readonly kind: 'answer'; readonly bytes: string }

/** A way to a server that can be made to fail. */
export interface FaultProxy extends AsyncDisposable {
  /** Always 127.0.0.1. */
  readonly host: string
  readonly port: number
  /** How many connections were made to it so far. */
  readonly accepted: number
  /** From now on, also for open connections. */
  set(fault: Fault): void
  /** From now on new connections go there, and open ones are reset. */
  redirect(target: Target): void
}

export interface Target {
  readonly host: string
  readonly port: number
}

/** An answer of HTTP, such as something before a server may give it. */
export function httpAnswer(
  status: number,
  body = '',
  headers: Readonly<Record<string, string>> = {},
): string {
  const lines = Object.entries({
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
    ...headers,
  })
  return `HTTP/1.1 ${status} Fault\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`
}

/** Opens a way to the target on an ephemeral port. */
export async function openFaultProxy(target: Target): Promise<FaultProxy> {
  let to = target
  let fault: Fault = { kind: 'none' }
  let accepted = 0
  const pairs = new Set<readonly Socket[]>()
  /** A socket that is paused still tells of its end, when it has nothing to read. */
  const frozen = new WeakSet<Socket>()
  const reset = (): void => {
    for (const sockets of pairs) for (const socket of sockets) cut(socket)
  }
  const freeze = (): void => {
    for (const sockets of pairs) for (const socket of sockets) frozen.add(socket.pause())
  }
  const pass = (from: Socket, into: Socket): void => {
    let underWay = 0
    let passed = Promise.resolve()
    const actAt = async (before: Promise<void>, at: number, act: () => void): Promise<void> => {
      underWay++
      await before
      await sleep(at - performance.now(), undefined, { ref: false })
      underWay--
      if (!into.destroyed) act()
    }
    const passOn = (act: () => void): void => {
      if (frozen.has(from)) return
      const ms = fault.kind === 'latency' ? fault.ms : 0
      // What comes when the latency is over does not overtake what is still under way.
      if (ms > 0 || underWay > 0) passed = actAt(passed, performance.now() + ms, act)
      else if (!into.destroyed) act()
    }
    from.on('data', (data) => {
      if (fault.kind === 'answer') from.end(fault.bytes)
      else if (fault.kind !== 'hang') passOn(() => into.write(data))
    })
    from.on('end', () => passOn(() => into.end()))
    from.on('close', () => passOn(() => into.destroySoon()))
  }
  const server = createServer({ allowHalfOpen: true }, (client) => {
    accepted++
    if (fault.kind === 'cut') {
      cut(client)
      return
    }
    const upstream = connect({ host: to.host, port: to.port, allowHalfOpen: true })
    const both = [client, upstream] as const
    pairs.add(both)
    for (const socket of both) {
      socket.on('error', () => {})
      socket.on('close', () => both.every(({ closed }) => closed) && pairs.delete(both))
    }
    pass(client, upstream)
    pass(upstream, client)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port to be had')
  return {
    host: '127.0.0.1',
    port: address.port,
    get accepted() {
      return accepted
    },
    set(next) {
      const wasWhole = fault.kind === 'none' || fault.kind === 'latency'
      fault = next
      if (next.kind === 'freeze') freeze()
      // What has hung, or was answered falsely, does not come to order again.
      else if (!(wasWhole && (next.kind === 'latency' || next.kind === 'none'))) reset()
    },
    redirect(next) {
      to = next
      reset()
    },
    async [Symbol.asyncDispose]() {
      reset()
      server.close()
      await once(server, 'close')
    },
  }
}

function cut(socket: Socket): void {
  // Node 20 loses the handle of a socket that is reset while it ends, and spins for ever when the process is over.
  if (socket.writableEnded) socket.destroy()
  else socket.resetAndDestroy()
}
