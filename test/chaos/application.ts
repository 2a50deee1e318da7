import { setTimeout as sleep } from 'node:timers/promises'
import { createLease, createVault, type LeaseManager } from '@vault-lease/core'
import type { SecretWatch } from '../secret-watch.ts'
import type { SubjectName } from '../subjects/index.ts'
import type { MakeSubject, Subject } from '../subjects/subject.ts'
import type { Failure, LifeEvent } from './verdict.ts'
import type { Access, Database } from './world.ts'

const max = 3
const workers = 2
const pauseMs = 40
const holdMs = 5
const acquireTimeoutMs = 10_000
const normal: readonly string[] = ['ready', 'rotating']

/** One adapter under load, with a lease of its own, and what it lived through. */
export class Application {
  readonly name: SubjectName
  readonly role: string
  readonly database: Database
  readonly lease: LeaseManager
  readonly failures: Failure[] = []
  readonly life: LifeEvent[] = []
  queries = 0
  /** When something was last not as it should be: a failed operation, or the state of the lease. */
  lastTrouble = 0
  readonly #secrets: SecretWatch
  readonly #subject: Subject
  readonly #close: () => Promise<void>
  readonly #lookups: Promise<void>[] = []
  #working: Promise<unknown> = Promise.resolve()
  #stopped = false
  #closed: Promise<void> | undefined

  constructor(
    name: SubjectName,
    role: string,
    database: Database,
    { auth, ...access }: Access,
    secrets: SecretWatch,
    leased: MakeSubject,
  ) {
    const vault = createVault({ ...access, auth: secrets.watchLogins(auth) })
    this.name = name
    this.role = role
    this.database = database
    this.lease = secrets.watch(createLease({ vault, mount: database.engine.mount, role }))
    this.#secrets = secrets
    this.#watch()
    const { server, way } = database
    const place = {
      server: { ...(way ?? server), database: server.database },
      max,
      acquireTimeoutMs,
      users: server,
    }
    this.#subject = leased(place, { lease: this.lease })
    this.#close = async () => {
      await this.#subject.close()
      await this.lease.close()
      await vault.close()
    }
  }

  get isNormal(): boolean {
    return this.#closed !== undefined || normal.includes(this.lease.status().state)
  }

  /** Begins to work as soon as there is a credential. */
  async start(): Promise<void> {
    await this.lease.ready({ timeoutMs: 20_000 })
    await this.#subject.query()
    this.#working = Promise.all(Array.from({ length: workers }, () => this.#work()))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    if (!this.#closed) await this.#working
    await this.close()
    await this.#working
    await Promise.all(this.#lookups)
  }

  /** In the middle of its work. */
  close(): Promise<void> {
    this.#stopped = true
    this.#closed ??= this.#close().finally(() => {
      this.lastTrouble = performance.now()
    })
    return this.#closed
  }

  /** The users that are left of its role. */
  async usersLeft(): Promise<number> {
    const users = await this.database.engine.users()
    return users.filter((user) => user.includes(`-${this.role}-`)).length
  }

  async #work(): Promise<void> {
    while (!this.#stopped) {
      const from = performance.now()
      try {
        await this.#operation()
      } catch (error) {
        const to = performance.now()
        this.failures.push({ from, to, error })
        this.#secrets.look(error)
        this.lastTrouble = to
      }
      this.queries++
      await sleep(pauseMs)
    }
  }

  #operation(): Promise<unknown> {
    const dice = Math.random()
    if (dice < 0.8) return this.#subject.query()
    return dice < 0.95 ? this.#subject.transaction(holdMs) : this.#subject.stream()
  }

  #watch(): void {
    const alive = (): void => {
      const at = performance.now()
      this.life.push({ at, is: 'alive', until: at + (this.lease.status().expiresInMs ?? 0) })
    }
    this.lease.on('rotated', alive)
    this.lease.on('renewed', alive)
    this.lease.on('expired', ({ username }) => {
      const at = performance.now()
      const index = this.life.push({ at, is: 'dropped', gone: false }) - 1
      this.#lookups.push(
        this.database.engine.users().then(
          (users) => {
            this.life[index] = { at, is: 'dropped', gone: !users.includes(username) }
          },
          // Nobody could use it then, in any case.
          () => {
            this.life[index] = { at, is: 'dropped', gone: true }
          },
        ),
      )
    })
    this.lease.on('state', ({ to }) => {
      if (this.#stopped) return
      if (!normal.includes(to)) this.lastTrouble = Number.POSITIVE_INFINITY
      else if (this.lastTrouble === Number.POSITIVE_INFINITY) this.lastTrouble = performance.now()
    })
  }
}
