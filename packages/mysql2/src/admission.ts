/** The limits of a pool for those who find no connection free. */
export interface Admission {
  waitForConnections: boolean
  /** 0: no limit. */
  queueLimit: number
}

/**
 * Who may wait while places of the pool are in the hands of a rotation: for each of them one more than the caller's own
 * limits let, because without the rotation there would be a connection in it.
 */
export function admissionFor(own: Readonly<Admission>, heldPlaces: number): Admission {
  if (heldPlaces === 0) return own
  const unlimited = own.waitForConnections && own.queueLimit === 0
  const waiting = own.waitForConnections ? own.queueLimit : 0
  return { waitForConnections: true, queueLimit: unlimited ? 0 : waiting + heldPlaces }
}

/** The places of a pool that are in the hands of a rotation. */
export class HeldPlaces {
  readonly #limits: Admission
  readonly #own: Readonly<Admission>
  #held = 0

  constructor(limits: Admission) {
    this.#limits = limits
    this.#own = { waitForConnections: limits.waitForConnections, queueLimit: limits.queueLimit }
  }

  /** Returns the way to let go of it. */
  hold(): () => void {
    this.#add(1)
    return () => this.#add(-1)
  }

  #add(more: number): void {
    this.#held += more
    Object.assign(this.#limits, admissionFor(this.#own, this.#held))
  }
}
