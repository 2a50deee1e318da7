/** Whether a number that was sampled over time stays where it is, and the numbers that say so. */
export interface Flatness {
  readonly flat: boolean
  /** The median of the first fifth after the warm-up, and of the last one. */
  readonly first: number
  readonly last: number
}

const warmUp = 0.2

/** Whether the last fifth lies above the first one after the warm-up by no more than a fraction, and a number that is noise. */
export function flatness(samples: readonly number[], fraction: number, noise: number): Flatness {
  const warm = samples.slice(Math.floor(samples.length * warmUp))
  const fifth = Math.max(1, Math.floor(warm.length / 5))
  const first = median(warm.slice(0, fifth))
  const last = median(warm.slice(-fifth))
  return { flat: last <= first * (1 + fraction) + noise, first, last }
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
