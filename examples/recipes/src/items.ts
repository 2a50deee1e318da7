/** What each recipe does with a table of items, through its own library. */
export interface Items {
  /** One query. */
  nameOf(id: number): Promise<string | null | undefined>
  /** A transaction of two statements. */
  hit(id: number): Promise<unknown>
  /** Reads the numbers from 1 to `last` in pieces. */
  count?(last: number): AsyncIterable<number>
  /** Ends the pool, and with it the lease. */
  close(): Promise<unknown>
}
