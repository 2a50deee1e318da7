/** What the pool makes of the options of the driver's own pool. */
export interface PoolOptions {
  readonly connectionLimit: number
  /** Milliseconds that an acquire may take, with all that it waits for. */
  readonly acquireTimeoutMs: number
  /** Milliseconds in which connecting is tried again when it failed. */
  readonly initializationTimeoutMs: number
  /** None: for ever. */
  readonly idleTimeoutMs: number | undefined
  /** Milliseconds for which an idle connection need not be asked before it is lent; 0: it is asked always. */
  readonly minDelayValidationMs: number
  /** Milliseconds that its answer may take. */
  readonly pingTimeoutMs: number
  /** Whether MariaDB forgets the state of the session when it is released. */
  readonly resetAfterUse: boolean
  /** Whether nothing is done about a transaction that was left open. */
  readonly noControlAfterUse: boolean
}

/** The options of the driver's pool that are taken, in its units. */
export interface DriverPoolOptions {
  readonly connectionLimit?: number | undefined
  readonly acquireTimeout?: number | undefined
  readonly initializationTimeout?: number | undefined
  readonly idleTimeout?: number | undefined
  readonly minDelayValidation?: number | undefined
  readonly pingTimeout?: number | undefined
  readonly resetAfterUse?: boolean | undefined
  readonly noControlAfterUse?: boolean | undefined
}

export const poolOptionNames = [
  'connectionLimit',
  'acquireTimeout',
  'initializationTimeout',
  'idleTimeout',
  'minDelayValidation',
  'pingTimeout',
  'resetAfterUse',
  'noControlAfterUse',
] as const satisfies readonly (keyof DriverPoolOptions)[]

/** The defaults are those of the driver's pool. */
export function poolOptions({
  connectionLimit = 10,
  acquireTimeout = 10_000,
  initializationTimeout = Math.max(100, acquireTimeout - 100),
  idleTimeout = 1_800,
  minDelayValidation = 500,
  pingTimeout = 250,
  resetAfterUse = false,
  noControlAfterUse = false,
}: DriverPoolOptions): PoolOptions {
  return {
    connectionLimit,
    acquireTimeoutMs: acquireTimeout,
    initializationTimeoutMs: initializationTimeout,
    idleTimeoutMs: idleTimeout > 0 ? idleTimeout * 1_000 : undefined,
    minDelayValidationMs: minDelayValidation,
    pingTimeoutMs: pingTimeout,
    resetAfterUse,
    noControlAfterUse,
  }
}
