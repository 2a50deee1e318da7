import type { Credential, LeaseManager } from '@vault-lease/core'
import {
  attach,
  type Clock,
  type Consumer,
  type PoolAttachment,
  type Proof,
  type Retired,
  type RetireTerms,
  sleep,
  systemClock,
} from '@vault-lease/core/adapter'
import type { Database } from '../database/database.ts'
import { prove } from '../prove.ts'
import { endingSignals, exitCodeAfter } from '../signals.ts'
import type { OnRotate } from './on-rotate.ts'
import { RunningProgram } from './program.ts'

/** What is run, and what becomes of it when there is another database user. */
export interface Supervised {
  readonly command: readonly [string, ...string[]]
  readonly database: Database | undefined
  readonly onRotate: OnRotate
  /** Milliseconds that the program has to end before it is killed. */
  readonly graceMs: number
  variables(credential: Credential): Readonly<Record<string, string>>
  /** Told each credential that is in force, before the program is. */
  hand?(credential: Credential): void
  tell(text: string): void
}

interface Run {
  readonly program: RunningProgram
  readonly username: string
  generation: number
}

const endsBetweenRuns: readonly NodeJS.Signals[] = [...endingSignals, 'SIGQUIT']
const nothing: Retired = { closed: 0, forced: 0 }

/** A program that lives on a lease, as a pool does: its next run is what a pool's new connections are. */
export class Supervisor implements Consumer {
  readonly place: string
  readonly attachment: PoolAttachment
  readonly #what: Supervised
  readonly #clock: Clock
  readonly #ended: Promise<number>
  #end: (code: number) => void = () => {}
  #run: Run | undefined
  #hasBegun = false
  #isToEnd = false

  constructor(lease: LeaseManager, what: Supervised, clock: Clock = systemClock) {
    this.#what = what
    this.#clock = clock
    this.place = what.database?.place ?? what.command[0]
    this.attachment = attach(lease, this)
    this.#ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  /** Runs the program until it ends by itself, or by a signal. Gives its exit code; that of the signal when it was not begun. */
  async run(): Promise<number> {
    const credential = await Promise.race([this.attachment.credential(), this.#ended])
    if (typeof credential === 'number') return credential
    this.#hasBegun = true
    this.#what.hand?.(credential)
    this.#start(credential)
    return await this.#ended
  }

  /**
   * Passes a signal on. One that ends programs is not answered by another run.
   *
   * @param hasIt the program has had it already, and knows what to do with it.
   */
  signal(signal: NodeJS.Signals, hasIt = false): void {
    if (!this.#run) {
      if (!endsBetweenRuns.includes(signal)) return
      this.#isToEnd = true
      if (!this.#hasBegun) this.#end(exitCodeAfter(signal))
    } else if (!hasIt) {
      if (signal === 'SIGTERM' || signal === 'SIGINT') this.#isToEnd = true
      this.#run.program.signal(signal)
    }
  }

  prove(credential: Credential, signal: AbortSignal): Promise<Proof> {
    return prove(this.#what.database, credential, signal)
  }

  async retire(generation: number, terms: RetireTerms): Promise<Retired> {
    const run = this.#run
    if (!run || run.generation !== generation) return nothing
    const { onRotate } = this.#what
    if (onRotate.kind === 'restart') return await this.#restart(run, terms)
    if (onRotate.kind === 'signal') {
      if (this.#handNext(await this.attachment.credential())) run.program.signal(onRotate.signal)
    } else
      this.#what.tell(`The database user ${run.username} is about to end, and ${this.#name} still has it.`)
    await this.#untilOver(run, terms)
    run.generation = this.attachment.generation
    return nothing
  }

  get #name(): string {
    return this.#what.command[0]
  }

  #start(credential: Credential): void {
    const { command, variables, tell } = this.#what
    const env = { ...process.env, ...variables(credential) }
    const program = new RunningProgram(command, env, (error) =>
      tell(`${this.#name} cannot be run: ${error.message}`),
    )
    const run = { program, username: credential.username, generation: credential.generation }
    this.#run = run
    void program.exited.then((code) => {
      if (this.#run !== run) return
      this.#run = undefined
      this.#end(code)
    })
  }

  /** While the program runs it has what it had, and goes on. */
  #handNext(credential: Credential): boolean {
    try {
      this.#what.hand?.(credential)
      return true
    } catch (error) {
      this.#what.tell(error instanceof Error ? error.message : String(error))
      return false
    }
  }

  /** There is another user, who was proven: the program gets its time to end, and begins anew. */
  async #restart(run: Run, terms: RetireTerms): Promise<Retired> {
    await this.#untilItsTurn(run, terms)
    const credential = await this.attachment.credential()
    if (this.#isToEnd || this.#run !== run) return nothing
    this.#handNext(credential)
    this.#what.tell(`The database user is now ${credential.username}: ${this.#name} is started anew.`)
    // From here on its end is ours.
    this.#run = undefined
    const { killed } = await run.program.stop(this.#what.graceMs)
    if (this.#isToEnd) this.#end(await run.program.exited)
    else this.#start(credential)
    return { closed: killed ? 0 : 1, forced: killed ? 1 : 0 }
  }

  /** Many instances of a program do not begin anew together. */
  async #untilItsTurn({ program }: Run, { turns, signal }: RetireTerms): Promise<void> {
    if (!turns) return
    const over = new AbortController()
    const waitMs = Math.random() * Math.max(0, turns.by - this.#clock.now())
    const turn = sleep(this.#clock, waitMs, AbortSignal.any([turns.over, signal, over.signal]))
    await Promise.race([turn.catch(() => {}), program.exited])
    over.abort()
  }

  async #untilOver({ program }: Run, { signal }: RetireTerms): Promise<void> {
    if (signal.aborted) return
    const over = new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.race([over, program.exited])
  }
}
