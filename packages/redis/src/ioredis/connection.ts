import { setImmediate } from 'node:timers/promises'
import { type Credential, LeaseClosedError } from '@vault-lease/core'
import { type Clock, sleep, systemClock, unlessAborted } from '@vault-lease/core/adapter'
import type { LeasedConnection, Logins } from '../leased-connections.ts'
import { isRefusal } from '../refusal.ts'
import type { IoredisClient, IoredisCommand, PipelineStream } from './driver.ts'
import { hidden, hidePassword } from './hide-password.ts'
import { resubscribing } from './resubscribe.ts'
import { Transaction } from './transaction.ts'

interface Waiting {
  readonly command: IoredisCommand
  readonly stream: PipelineStream | undefined
}

const lookEveryMs = 5

/**
 * The connection of a client of ioredis. Every command passes here: the first on a new socket waits until the server has let a
 * user in, which goes for what the client says by itself when it connects, too.
 */
export class IoredisConnection implements LeasedConnection {
  readonly #redis: IoredisClient
  readonly #logins: Logins
  readonly #clock: Clock
  readonly #send: IoredisClient['sendCommand']
  readonly #patienceMs: number | undefined
  readonly #transaction = new Transaction()
  /** Commands that log in: the client does not know that they are not its own. */
  readonly #ours = new WeakSet<IoredisCommand>()
  /** The password of the command that is being made. */
  #password: string | undefined
  /** The socket on which a user is let in. */
  #loggedIn: object | undefined
  #loggingIn: { readonly socket: object; readonly done: Promise<void>; readonly held: Waiting[] } | undefined
  /** Commands that wait for a credential. */
  #waiting: Waiting[] = []
  #credential: Credential | undefined
  /** Aborted when the socket is closed. */
  #open = new AbortController()

  constructor(redis: IoredisClient, logins: Logins, clock: Clock = systemClock) {
    this.#redis = redis
    this.#logins = logins
    this.#clock = clock
    this.#send = redis.sendCommand
    this.#patienceMs = redis.options.connectTimeout
    const sendCommand: IoredisClient['sendCommand'] = (command, stream) => this.#pass(command, stream)
    const takeOver = (): void => {
      redis.sendCommand = sendCommand
    }
    takeOver()
    redis.on('close', () => this.#closed())
    // A client that monitors takes it away when it is closed.
    redis.on('reconnecting', takeOver)
    redis.on('end', () => this.#refuseAll(this.#waiting.splice(0), new Error('Connection is closed.')))
  }

  get credential(): Credential | undefined {
    return this.#credential
  }

  async change(generation: number, signal: AbortSignal): Promise<void> {
    const open = AbortSignal.any([signal, this.#open.signal])
    try {
      await unlessAborted(this.#loggingIn?.done ?? Promise.resolve(), open)
      while (this.#credential?.generation === generation) await this.#changeWhenPossible(open)
    } catch (error) {
      if (signal.aborted) throw signal.reason
      // It is gone, and comes back as somebody else.
      if (open.aborted) return
      throw error
    }
  }

  async whenIdle(signal: AbortSignal): Promise<void> {
    // What was begun just before has not been written yet.
    await setImmediate()
    while (this.#isUsed && !signal.aborted) await sleep(this.#clock, lookEveryMs, signal)
  }

  async replace(reason: () => Error): Promise<boolean> {
    if (!this.#isConnected) return false
    const isUsed = this.#isUsed
    if (this.#transaction.ended) this.#transaction.lose(reason)
    const closed = this.#open.signal
    const gone = new Promise((resolve) => closed.addEventListener('abort', resolve, { once: true }))
    // It ends its half: what the server has answered until then is still read, the rest is sent again.
    this.#redis.disconnect(true)
    await gone
    return isUsed
  }

  #pass(command: IoredisCommand, stream: PipelineStream | undefined): unknown {
    if (this.#password !== undefined) {
      this.#ours.add(command)
      hidePassword(command, this.#password)
      return this.#send.call(this.#redis, command, stream)
    }
    if (this.#ours.has(command)) {
      // The client sends again what a lost connection has not answered; the new one has logged in by itself.
      command.resolve('OK')
      return command.promise
    }
    if (this.#isConnected && this.#redis.stream !== this.#loggedIn) return this.#hold({ command, stream })
    const name = command.name.toLowerCase()
    if (name !== 'quit' && (this.#waiting.length > 0 || !this.#logins.current)) {
      return this.#wait({ command, stream })
    }
    const lost = this.#redis.status === 'ready' ? this.#transaction.follow(name) : undefined
    if (!lost) return this.#send.call(this.#redis, command, stream)
    command.reject(lost)
    return command.promise
  }

  get #isConnected(): boolean {
    const { status } = this.#redis
    return status === 'connect' || status === 'ready' || status === 'monitoring'
  }

  get #isUsed(): boolean {
    return this.#isConnected && (this.#redis.commandQueue.length > 0 || this.#transaction.ended !== undefined)
  }

  /** The user is not let in yet. */
  #hold(waiting: Waiting): unknown {
    const socket = this.#redis.stream ?? this
    if (this.#loggingIn?.socket !== socket) {
      const held: Waiting[] = []
      this.#loggingIn = { socket, held, done: this.#logIn(socket, held) }
    }
    this.#loggingIn.held.push(waiting)
    return waiting.command.promise
  }

  /** Never rejects. */
  async #logIn(socket: object, held: Waiting[]): Promise<void> {
    const { signal } = this.#open
    try {
      const credential = await unlessAborted(this.#letIn(), signal)
      this.#logins.accepted(credential)
      this.#logins.loggedIn(credential)
      this.#loggedIn = socket
    } catch (error) {
      this.#credential = undefined
      if (!signal.aborted) return this.#giveUp(held, error)
    }
    this.#loggingIn = undefined
    // If the socket is lost, the client keeps them for the next one.
    for (const { command, stream } of held.splice(0)) this.#redis.sendCommand(command, stream)
    await this.#catchUp()
  }

  /** It was replaced while it was on its way. */
  async #catchUp(): Promise<void> {
    const generation = this.#credential?.generation
    const { current } = this.#logins
    if (!current || generation === undefined || generation === current.generation) return
    await this.change(generation, this.#open.signal).catch(() => {})
  }

  async #letIn(): Promise<Credential> {
    for (;;) {
      const credential = await this.#logins.credential({ timeoutMs: this.#patienceMs })
      this.#credential = credential
      try {
        await this.#authenticate(credential)
        return credential
      } catch (error) {
        const wait = { timeoutMs: this.#patienceMs }
        if (!isRefusal(error) || !(await this.#logins.refused(credential, error, wait))) throw error
      }
    }
  }

  /** Commands fail, and the client tries again after a while, unless there is no lease any more. */
  #giveUp(held: Waiting[], error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error))
    const isOver = reason instanceof LeaseClosedError || held.some(({ command }) => command.name === 'quit')
    this.#loggingIn = undefined
    for (const { command } of held) if (command.name === 'quit') command.resolve('OK')
    this.#refuseAll(held, reason)
    this.#redis.flushQueue(reason)
    this.#redis.disconnect(!isOver)
  }

  async #changeWhenPossible(signal: AbortSignal): Promise<void> {
    while (this.#transaction.ended) await unlessAborted(this.#transaction.ended, signal)
    signal.throwIfAborted()
    const subscriber = resubscribing(this.#redis)
    if (subscriber && this.#redis.commandQueue.length > 0) {
      await sleep(this.#clock, lookEveryMs, signal)
      return
    }
    // The newest of this moment: what was in force when the change began may be gone by now.
    const before = this.#credential
    const { current: credential } = this.#logins
    if (!credential || credential.generation === before?.generation)
      throw new Error('there is no credential to change to')
    const authenticate = (): Promise<void> => this.#authenticate(credential)
    // From now on it may belong to either: whoever waits until nobody has the next user any more waits for this one, too.
    this.#credential = credential
    try {
      await unlessAborted(subscriber ? subscriber(authenticate) : authenticate(), signal)
    } catch (error) {
      if (this.#credential === credential) this.#credential = before
      if (error instanceof Error && becameSubscriber.test(error.message)) return
      if (isRefusal(error)) void this.#logins.refused(credential, error)
      throw error
    }
    this.#logins.accepted(credential)
    this.#logins.loggedIn(credential)
  }

  async #authenticate({ username, password }: Credential): Promise<void> {
    this.#password = password
    let answer: Promise<unknown>
    try {
      answer = this.#redis.auth(username, hidden)
    } finally {
      this.#password = undefined
    }
    await answer
  }

  #wait(waiting: Waiting): unknown {
    this.#waiting.push(waiting)
    if (this.#waiting.length === 1) void this.#admit()
    return waiting.command.promise
  }

  /** Never rejects. */
  async #admit(): Promise<void> {
    try {
      await this.#logins.credential({ timeoutMs: this.#patienceMs })
      for (const { command, stream } of this.#waiting.splice(0)) this.#redis.sendCommand(command, stream)
    } catch (error) {
      this.#refuseAll(this.#waiting.splice(0), error instanceof Error ? error : new Error(String(error)))
    }
  }

  #refuseAll(waiting: readonly Waiting[], error: Error): void {
    for (const { command } of waiting) command.reject(error)
  }

  #closed(): void {
    this.#loggedIn = undefined
    this.#credential = undefined
    if (this.#transaction.ended) this.#transaction.over()
    this.#open.abort(new Error('the connection is closed'))
    this.#open = new AbortController()
  }
}

/** What a server says that speaks RESP2. */
const becameSubscriber = /^ERR Can't execute 'auth'/i
