import type { LeaseManager } from '@vault-lease/core'
import type { HammerResult } from '@vault-lease/testing'

/** One line in a terminal that is written over; elsewhere a line every five seconds. */
export class LiveLine {
  readonly #interactive = process.stdout.isTTY
  readonly #timer: NodeJS.Timeout
  #lease: LeaseManager | undefined
  #queries = 0
  #failed = 0
  #lastQueries = 0
  #lastAt = performance.now()

  constructor() {
    this.#timer = setInterval(() => this.#draw(), this.#interactive ? 250 : 5_000)
  }

  readonly onLease = (lease: LeaseManager): void => {
    this.#lease = lease
  }

  readonly onResult = ({ error }: HammerResult): void => {
    this.#queries++
    if (error !== undefined) this.#failed++
  }

  stop(): void {
    clearInterval(this.#timer)
    if (this.#interactive) process.stdout.write('\r\x1b[K')
  }

  #draw(): void {
    const status = this.#lease?.status()
    if (!status) return
    const now = performance.now()
    const rate = Math.round(((this.#queries - this.#lastQueries) / (now - this.#lastAt)) * 1_000)
    this.#lastQueries = this.#queries
    this.#lastAt = now
    const left = ((status.expiresInMs ?? 0) / 1_000).toFixed(1)
    const line = `${rate} queries/s · ${status.username} · ${left} s left · ${Math.max(0, status.generation - 1)} rotations · ${this.#failed} failed`
    process.stdout.write(
      this.#interactive ? `\r\x1b[K${line.slice(0, process.stdout.columns - 1)}` : `${line}\n`,
    )
  }
}
