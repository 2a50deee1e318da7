import { type Credential, LeaseClosedError } from '@vault-lease/core'
import { type Clock, unlessAborted } from '@vault-lease/core/adapter'
import { RedisConnection } from '../connection.ts'
import type { Logins } from '../leased-connections.ts'
import { isRefusal } from '../refusal.ts'
import type { IoredisClient, IoredisCommand, PipelineStream } from './driver.ts'
import { hidden, hidePassword } from './hide-password.ts'
import { resubscribing } from './resubscribe.ts'

interface Waiting {
  readonly command: IoredisCommand
  readonly stream: PipelineStream | undefined
}

/**
 * The connection of a client of ioredis. Every command passes here: the first on a new socket waits until the server has let a
 * user in, which goes for what the client says by itself when it connects, too.
 */
export class IoredisConnection extends RedisConnection {
  readonly #redis: IoredisClient
  readonly #send: IoredisClient['sendCommand']
  readonly #patienceMs: number | undefined
  /** Commands that log in: the client does not know that they are not its own. */
  readonly #ours = new WeakSet<IoredisCommand>()
  /** The password of the command that is being made. */
  #password: string | undefined
  /** The socket on which a user is let in. */
  #loggedIn: object | undefined
  #loggingIn: { readonly socket: object; readonly held: Waiting[] } | undefined
  /** Commands that wait for a credential. */
  #waiting: Waiting[] = []

  constructor(redis: IoredisClient, logins: Logins, clock?: Clock) {
    super(logins, clock)
    this.#redis = redis
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

  async replace(reason: () => Error): Promise<boolean> {
    if (!this.#isConnected) return false
    const { isUsed, open } = this
    if (this.transaction.ended) this.transaction.lose(reason)
    const gone = new Promise((resolve) => open.addEventListener('abort', resolve, { once: true }))
    // It ends its half: what the server has answered until then is still read, the rest is sent again.
    this.#redis.disconnect(true)
    await gone
    return isUsed
  }

  protected get isUsed(): boolean {
    return this.#isConnected && (this.#redis.commandQueue.length > 0 || this.transaction.ended !== undefined)
  }

  protected login(): ((credential: Credential) => Promise<void>) | undefined {
    if (this.#loggingIn) return undefined
    const authenticate = (credential: Credential): Promise<void> => this.#authenticate(credential)
    const subscriber = resubscribing(this.#redis)
    if (!subscriber) return authenticate
    if (this.#redis.commandQueue.length > 0) return undefined
    return (credential) => subscriber(() => authenticate(credential))
  }

  #pass(command: IoredisCommand, stream: PipelineStream | undefined): unknown {
    if (this.#password !== undefined) {
      this.#ours.add(command)
      hidePassword(command, this.#password)
      return this.#send.call(this.#redis, command, stream)
    }
    if (command.name === 'auth' && this.#ours.has(command)) {
      // The client sends again what a lost connection has not answered; the new one has logged in by itself.
      command.resolve('OK')
      return command.promise
    }
    if (this.#isConnected && this.#redis.stream !== this.#loggedIn) return this.#hold({ command, stream })
    if ((this.#waiting.length > 0 || !this.logins.current) && command.name.toLowerCase() !== 'quit') {
      return this.#wait({ command, stream })
    }
    const lost = this.#redis.status === 'ready' ? this.transaction.follow(command.name) : undefined
    if (!lost) return this.#send.call(this.#redis, command, stream)
    command.reject(lost)
    return command.promise
  }

  get #isConnected(): boolean {
    const { status } = this.#redis
    return status === 'connect' || status === 'ready' || status === 'monitoring'
  }

  /** The user is not let in yet. */
  #hold(waiting: Waiting): unknown {
    const socket = this.#redis.stream ?? this
    if (this.#loggingIn?.socket !== socket) {
      const held: Waiting[] = []
      this.#loggingIn = { socket, held }
      void this.#logIn(socket, held)
    }
    this.#loggingIn.held.push(waiting)
    return waiting.command.promise
  }

  /** Never rejects. */
  async #logIn(socket: object, held: Waiting[]): Promise<void> {
    const { open } = this
    try {
      const credential = await unlessAborted(this.#letIn(), open)
      this.isLetIn(credential)
      this.#loggedIn = socket
    } catch (error) {
      this.logsInAs(undefined)
      if (!open.aborted) return this.#giveUp(held, error)
    }
    this.#loggingIn = undefined
    // If the socket is lost, the client keeps them for the next one.
    for (const { command, stream } of held.splice(0)) this.#redis.sendCommand(command, stream)
    await this.catchUp()
  }

  async #letIn(): Promise<Credential> {
    for (;;) {
      const credential = await this.logins.credential({ timeoutMs: this.#patienceMs })
      this.logsInAs(credential)
      try {
        await this.#authenticate(credential)
        return credential
      } catch (error) {
        const wait = { timeoutMs: this.#patienceMs }
        if (!isRefusal(error) || !(await this.logins.refused(credential, error, wait))) throw error
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
      await this.logins.credential({ timeoutMs: this.#patienceMs })
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
    if (this.transaction.ended) this.transaction.over()
    this.isClosed()
  }
}
