const firstGapMs = 1_000
const longestGapMs = 60_000

/** Keeps forced rotations apart: the gap doubles with each that follows closely upon another. */
export class StormLimit {
  #gapMs = firstGapMs
  #notBefore = Number.NEGATIVE_INFINITY

  /** Whether one more may begin now. It counts when it may. */
  admits(now: number): boolean {
    if (now < this.#notBefore) return false
    const calm = now > this.#notBefore + longestGapMs
    this.#gapMs = calm ? firstGapMs : Math.min(longestGapMs, this.#gapMs * 2)
    this.#notBefore = now + this.#gapMs
    return true
  }
}
