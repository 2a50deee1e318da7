/** What each recipe does with a table of items, through its own library. Nest injects it by this class. */
export abstract class Items {
  /** What health looks at. */
  abstract readonly pool: object
  /** One query. */
  abstract nameOf(id: number): Promise<string | undefined>
  /** A transaction of two statements, with so much time between them. */
  abstract hit(id: number, holdMs: number): Promise<unknown>
}
