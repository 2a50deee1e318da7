const firstGapMs = 1_000
const longestGapMs = 60_000

/** Keeps forced rotations apart: the gap doubles with each that follows closely upon another. */
export class StormLimit {
  #gapMs = firstGapMs
  #notBefore = Number.NEGATIVE_INFINITY

  /** When one more may begin: now, or when the gap has passed. It counts. */
  next(now: number): number {
    const at = Math.max(now, this.#notBefore)
    const calm = now > this.#notBefore + 2 * this.#gapMs
    this.#gapMs = calm ? firstGapMs : Math.min(longestGapMs, this.#gapMs * 2)
    this.#notBefore = at + this.#gapMs
    return at
  }
}
