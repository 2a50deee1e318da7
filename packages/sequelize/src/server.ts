import { VaultLeaseError } from '@vault-lease/core'
import { type LeasedDriver, type PoolAttachment, ValidateOnBorrow } from '@vault-lease/core/adapter'
import type { ServerConfig } from './connection-manager.ts'
import type { Connection } from './sequelize-pool.ts'

/** One server that a Sequelize connects to: a place of its own on the lease. */
export class Server {
  readonly config: ServerConfig
  readonly leased: LeasedDriver<Connection>
  readonly #borrow: ValidateOnBorrow

  /** @param patienceMs Milliseconds that one call may wait for a credential. */
  constructor(config: ServerConfig, leased: LeasedDriver<Connection>, patienceMs: () => number) {
    const { all } = leased
    this.config = config
    this.leased = leased
    this.#borrow = new ValidateOnBorrow(
      {
        attachment: all.attachment,
        whenRoom: () => all.whenRoom(),
        worthConnectingAgain: (error, wait) => all.worthConnectingAgain(causeOf(error), wait),
      },
      patienceMs,
    )
  }

  get attachment(): PoolAttachment {
    return this.leased.all.attachment
  }

  /** Opens a connection as Sequelize does, over the driver that it is given. */
  async connect(open: (driver: object) => Promise<Connection>): Promise<Connection> {
    return await this.#borrow.open(() => open(this.leased.driver).catch(rethrow))
  }

  /** Takes a connection from the pool once a credential may be used. */
  lend(take: () => Promise<Connection>): Promise<Connection> {
    return this.#borrow.lend(take)
  }
}

/** Whoever connects hears of an error of this library by its own class. */
function rethrow(error: unknown): never {
  const cause = causeOf(error)
  throw cause instanceof VaultLeaseError ? cause : error
}

/** Sequelize wraps the driver's error. */
function causeOf(error: unknown): unknown {
  return error instanceof Error && 'parent' in error ? error.parent : error
}
