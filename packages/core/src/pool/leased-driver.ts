import type { PoolAttachment } from '../lease/attachment.ts'
import type { Fate } from './rotating-connections.ts'
import type { BorrowedConnections } from './validate-on-borrow.ts'

/** A driver whose connections belong to the user in force when they are opened, for a pool that is not the driver's own. */
export interface LeasedDriver<Connection> {
  readonly all: BorrowedConnections & {
    readonly attachment: PoolAttachment
    allClosed(): Promise<void>
  }
  /** The driver's module, in which what opens a connection is replaced. */
  readonly driver: object
  /** Whether the connection has ended, or belongs to another user than the one in force. */
  isStale(connection: Connection): boolean
  /** What is to become of a connection that is given back. */
  fateOf(connection: Connection): Fate | Promise<Fate>
  /** Closes a connection that nobody uses any more. Resolves when the server has closed it too. */
  closeWhenIdle(connection: Connection): Promise<void>
}
