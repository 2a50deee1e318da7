/** Where something stands in a file. Both count from 1. */
export interface Position {
  readonly line: number
  readonly column: number
}

/** What is wrong with a file, and where. It holds no value of the file that may be a secret. */
export interface Problem extends Position {
  readonly message: string
}
