import type { Finding } from './finding.ts'

/** One check, and what it found. */
export interface Result extends Finding {
  readonly group: string
  readonly check: string
}

/** Checks in order. What comes after one that failed is not looked at where it needs it. */
export class Examination {
  readonly results: Result[] = []
  readonly #tell: (result: Result) => void

  /** @param tell hears of each result as it comes. */
  constructor(tell: (result: Result) => void) {
    this.#tell = tell
  }

  get hasFailed(): boolean {
    return this.results.some(({ status }) => status === 'failed')
  }

  /** Notes what a check found. Returns whether what stands on it can be looked at. */
  note(group: string, check: string, finding: Finding): boolean {
    const result = { group, check, ...finding }
    this.results.push(result)
    this.#tell(result)
    return finding.status !== 'failed'
  }
}
