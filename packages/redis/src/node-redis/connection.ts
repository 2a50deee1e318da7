import { setImmediate } from 'node:timers/promises'
import { type Credential, LeaseClosedError } from '@vault-lease/core'
import { type Clock, settlesWithin, sleep } from '@vault-lease/core/adapter'
import { RedisConnection } from '../connection.ts'
import type { Logins } from '../leased-connections.ts'
import { isRefusal } from '../refusal.ts'
import { closeInOrder, closesWithinMs } from './close-in-order.ts'
import { credentialsProvider, WhoAreYou } from './credentials-provider.ts'
import type { NodeRedisClient } from './driver.ts'
import { resubscribing } from './resubscribe.ts'
import { socketOf } from './socket-of.ts'

/** So long a login waits for a credential where nobody says how long. */
export const defaultConnectTimeoutMs = 5_000

/** The connection of a client of node-redis. The driver logs in on connecting, with what it is given here. */
export class NodeRedisConnection extends RedisConnection {
  readonly #client: NodeRedisClient
  readonly #send: NodeRedisClient['sendCommand']
  readonly #ref: () => void
  readonly #unref: () => void
  readonly #patienceMs: number
  /** Commands, and transactions as a whole, whose answers have not come. */
  #underWay = 0
  /** How often it was closed by us: what the server had not done then is sent again. */
  #replacements = 0
  #isUnrefed = false
  /** Aborted when the server has answered. */
  #loggingIn = new AbortController()
  #wasReady = false
  /** Commands wait until it resolves. */
  #hold: Promise<void> | undefined
  /** The server has refused a user: resolves when there may be another one. */
  #refusal: Promise<unknown> | undefined
  /** What the server said then: commands that were sent together with the login fail with it, too. */
  #refusedWith: unknown
  #gone: Promise<void> = Promise.resolve()

  constructor(client: NodeRedisClient, logins: Logins, clock?: Clock) {
    super(logins, clock)
    this.#client = client
    this.#send = client.sendCommand
    this.#ref = client.ref
    this.#unref = client.unref
    this.#patienceMs = client.options.socket?.connectTimeout ?? defaultConnectTimeoutMs
    client.options.credentialsProvider = credentialsProvider
    this.#takeOver(client)
    client.on('ready', () => this.#isReady())
    // It comes back by itself: nobody needs to be told, and no process to end.
    client.on('error', (error: unknown) => this.#failed(error))
    client.on('end', () => this.#closed())
  }

  /** As whom the driver logs in on a new socket. */
  async logIn(): Promise<Credential> {
    try {
      await this.#refusal
      this.#refusal = undefined
      const credential = await this.logins.credential({ timeoutMs: this.#patienceMs })
      this.logsInAs(credential)
      this.#answersInTime()
      return credential
    } catch (error) {
      // Otherwise it would try again for ever.
      if (error instanceof LeaseClosedError) this.#client.destroy()
      throw error
    }
  }

  /** Resolves when the server has closed the last socket too, which the driver has left. */
  get gone(): Promise<void> {
    return this.#gone
  }

  /** The socket of this moment. */
  get socket(): ReturnType<typeof socketOf> {
    const socket = socketOf(this.#ref, this.#client)
    if (this.#isUnrefed) this.#unref.call(this.#client)
    return socket
  }

  async replace(reason: () => Error): Promise<boolean> {
    const { open, isUsed } = this
    const socket = this.credential && this.socket
    if (!socket) return false
    const gone = new Promise<void>((resolve) =>
      open.addEventListener('abort', () => resolve(), { once: true }),
    )
    this.#holdUntil(gone)
    if (this.transaction.ended) this.transaction.lose(reason)
    // What was begun just before has not been written yet.
    await setImmediate()
    this.#replacements++
    // It ends its half: what the server has answered until then is still read, the rest is sent again.
    socket.end()
    await settlesWithin(gone, closesWithinMs, this.clock)
    if (!open.aborted) {
      socket.destroy()
      // A client that is about to close does not tell.
      this.#closed()
    }
    return isUsed
  }

  protected get isUsed(): boolean {
    return this.#client.isReady && (this.#underWay > 0 || this.transaction.ended !== undefined)
  }

  protected login(signal: AbortSignal): ((credential: Credential) => Promise<void>) | undefined {
    if (!this.#client.isReady) return undefined
    const authenticate = async ({ username, password }: Credential): Promise<void> => {
      await this.#send.call(this.#client, ['AUTH', username, password], { abortSignal: signal })
    }
    const subscriber = resubscribing(this.#client)
    if (!subscriber) return authenticate
    if (this.#underWay > 0) return undefined
    return (credential) => subscriber(() => authenticate(credential))
  }

  #takeOver(client: NodeRedisClient): void {
    const pass = this.#pass.bind(this)
    const { sendCommand, _executeMulti: multi, _executePipeline: pipeline, reAuthenticate } = client
    client.sendCommand = function leased(this: NodeRedisClient, args, options) {
      return pass(() => sendCommand.call(this, args, options), args[0])
    }
    client._executeMulti = function leased(this: NodeRedisClient, ...args) {
      return pass(() => multi.apply(this, args))
    }
    client._executePipeline = function leased(this: NodeRedisClient, ...args) {
      return pass(() => pipeline.apply(this, args))
    }
    client.reAuthenticate = async (credentials) => {
      if (credentials instanceof WhoAreYou) credentials.answer(this)
      else await reAuthenticate(credentials)
    }
    client.ref = () => {
      this.#isUnrefed = false
      this.#ref.call(client)
    }
    client.unref = () => {
      this.#isUnrefed = true
      this.#unref.call(client)
    }
  }

  /** The driver waits for ever for a server that does not answer. */
  #answersInTime(): void {
    const abandon = this.#leaveInOrder()
    this.#loggingIn.abort()
    this.#loggingIn = new AbortController()
    sleep(this.clock, this.#patienceMs, this.#loggingIn.signal).then(abandon, () => {})
  }

  /** From now on the socket may have a session. Returns the way to close it at once. */
  #leaveInOrder(): () => void {
    const { socket } = this
    if (!socket) return () => {}
    const { closed, abandon } = closeInOrder(socket)
    this.#gone = closed
    return abandon
  }

  #pass(send: () => Promise<unknown>, command?: unknown): Promise<unknown> {
    if (this.#hold || !this.logins.current) return this.#passLater(send, command)
    return this.#deliver(send, command)
  }

  async #passLater(send: () => Promise<unknown>, command: unknown): Promise<unknown> {
    while (this.#hold || (!this.logins.current && this.#client.isOpen)) await (this.#hold ?? this.#admit())
    return await this.#deliver(send, command)
  }

  /** Every command passes here: it costs one promise. */
  async #deliver(send: () => Promise<unknown>, command: unknown): Promise<unknown> {
    const lost = typeof command === 'string' ? this.transaction.follow(command) : undefined
    if (lost) throw lost
    const replacements = this.#replacements
    const isRepeatable = !this.#client.isWatching
    this.#underWay++
    try {
      const reply = await send()
      this.#underWay--
      return reply
    } catch (error) {
      this.#underWay--
      const isRefused = error === this.#refusedWith || isUnheard(error)
      const isUndone = isRefused || (replacements !== this.#replacements && isLoss(error))
      if (!isUndone || !isRepeatable) throw error
    }
    return await this.#pass(send, command)
  }

  async #admit(): Promise<void> {
    const admitted = this.logins.credential({ timeoutMs: this.#patienceMs }).then(() => {})
    this.#holdUntil(admitted)
    await admitted
  }

  #holdUntil(settled: Promise<void>): void {
    this.#hold = settled
    const forget = (): void => {
      if (this.#hold === settled) this.#hold = undefined
    }
    settled.then(forget, forget)
  }

  #isReady(): void {
    // Destroyed while its socket was opened: the driver goes on to log in, and keeps it.
    if (!this.#client.isOpen) return void this.socket?.destroy()
    const { credential } = this
    if (!credential) return
    this.#wasReady = true
    this.#loggingIn.abort()
    this.isLetIn(credential)
    void this.catchUp()
  }

  #failed(error: unknown): void {
    if (this.#client.isReady) return
    const { credential } = this
    if (credential && isRefusal(error)) {
      this.#refusedWith = error
      const wait = { timeoutMs: this.#patienceMs }
      // Whoever logs in next asks for a credential, and hears of what goes wrong there.
      this.#refusal = this.logins.refused(credential, error, wait).catch(() => {})
    }
    this.#closed()
  }

  #closed(): void {
    // What was sent before it was ready is still to be written.
    if (this.#wasReady && this.transaction.ended) this.transaction.over()
    this.#wasReady = false
    this.#loggingIn.abort()
    this.isClosed()
  }
}

/** What the driver says of commands that a lost connection has not answered. */
function isLoss(error: unknown): boolean {
  return error instanceof Error && error.message === 'Socket closed unexpectedly'
}

/** The driver sends commands together with the login, and the server had refused that. */
function isUnheard(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOAUTH')
}
