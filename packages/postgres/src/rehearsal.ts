import { EventEmitter } from 'node:events'
import {
  asDriverConnection,
  type Backend,
  type DriverConnection,
  type DriverSql,
  type ParsedOptions,
  unsupported,
} from './driver.ts'
import { message, nothingRuns } from './messages.ts'

/** A query of the rehearsal. */
type First = Promise<unknown> & { readonly state: Backend | null; execute(): unknown }

/** What the client asks of a query that is given the connection it runs on. */
type Unsafe = (
  text: string,
  args: readonly unknown[],
  options: { onexecute(connection: unknown): boolean },
) => First

type Meet = (connection: DriverConnection, backend: Backend) => void

const nothingAsked = message('I')
const isReadOnly = new Set(['read-only'])
const isStandby = new Set(['standby', 'prefer-standby'])

/**
 * Meets every place for a connection that a client has, before the first one is opened: each goes through the beginning of a
 * session with a server that is not there. The driver has no other way to them, and a connection cannot be ended without.
 */
export class Rehearsal {
  /** Rejects when the driver does not work in the way that this package needs. */
  readonly over: Promise<void>
  #left: number
  #isOver = false

  /**
   * To be made before anything is asked of the client.
   *
   * @param meet is called with each of them.
   */
  constructor(sql: DriverSql, meet: Meet) {
    this.#left = sql.options.max
    this.over = this.#begin(sql, meet).finally(() => {
      this.#isOver = true
    })
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether the next socket that the driver asks for is one of the rehearsal. */
  get isOn(): boolean {
    return this.#left > 0
  }

  socket(options: ParsedOptions): EventEmitter {
    this.#left--
    return new RehearsedSocket(options)
  }

  async #begin(sql: DriverSql, meet: Meet): Promise<void> {
    const { options } = sql
    const { max } = options
    let met = 0
    const firsts = Array.from({ length: max }, () => {
      const onexecute = (connection: unknown): boolean => {
        const { state } = first
        if (!state) return false
        const known = asDriverConnection(connection)
        // Nobody else is to have it before its socket is closed.
        known.reserved = Object.assign(() => {}, { release: true })
        meet(known, state)
        met++
        return false
      }
      const first = (sql.unsafe as unknown as Unsafe)('', [], { onexecute })
      first.execute()
      return first
    })
    await Promise.allSettled(firsts)
    delete options.parameters['in_hot_standby']
    delete options.parameters['default_transaction_read_only']
    if (met !== max) throw unsupported('it does not say on which connection a query runs')
  }
}

/** Begins a session, and ends it as soon as the driver has used it. */
class RehearsedSocket extends EventEmitter {
  readonly readyState = 'open'
  readonly #targetSessionAttrs: string | undefined
  readonly #answers: (() => void)[]

  constructor({ fetch_types, target_session_attrs }: ParsedOptions) {
    super()
    this.#targetSessionAttrs = target_session_attrs
    const noTypes = (): void => this.#tell(nothingRuns)
    this.#answers = [() => this.#begin(), ...(fetch_types ? [noTypes] : []), () => this.#end()]
  }

  write(): boolean {
    const answer = this.#answers.shift()
    if (answer) queueMicrotask(answer)
    return true
  }

  end(): void {
    queueMicrotask(() => this.emit('close', false))
  }

  destroy(): void {
    this.end()
  }

  #begin(): void {
    const wanted = this.#targetSessionAttrs
    if (wanted) {
      this.#tell(parameter('in_hot_standby', isStandby.has(wanted)))
      this.#tell(parameter('default_transaction_read_only', isReadOnly.has(wanted)))
    }
    this.#tell(nothingRuns)
  }

  #end(): void {
    this.#tell(nothingAsked)
    this.#tell(nothingRuns)
    this.emit('close', false)
  }

  #tell(message: Buffer): void {
    this.emit('data', message)
  }
}

function parameter(name: string, isOn: boolean): Buffer {
  return message('S', `${name}\0${isOn ? 'on' : 'off'}\0`)
}
