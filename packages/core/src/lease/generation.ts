import type { Lease } from '../source/lease.ts'
import type { IssuedCredential } from '../source/source.ts'
import type { Credential } from './credential.ts'
import { deadlineOf } from './schedule.ts'

/** A credential that was issued and tagged, and is in force nowhere yet. */
export interface Candidate {
  readonly credential: Credential
  readonly issued: IssuedCredential
}

/** One database user in use: its credential, which may get a new password, and its lease. */
export class Generation {
  readonly number: number
  #credential: Credential
  #issued: IssuedCredential
  #over = false
  #retireBy = Number.POSITIVE_INFINITY

  constructor({ credential, issued }: Candidate) {
    this.number = credential.generation
    this.#credential = credential
    this.#issued = issued
  }

  get credential(): Credential {
    return this.#credential
  }

  get issued(): IssuedCredential {
    return this.#issued
  }

  get username(): string {
    return this.#credential.username
  }

  /** From when on it may not be used: its lease, or the token that owns it, ends, or it has to be retired. */
  get deadline(): number {
    return Math.min(this.#retireBy, deadlineOf(this.#issued.lease, this.#issued.tokenFacts()))
  }

  /** Milliseconds for which it may be used, 0 or less when it may not. */
  leftMs(now: number): number {
    return this.#over ? 0 : this.deadline - now
  }

  /** Whether what is refused may only be an older password: nobody drops the user. */
  get mayHaveAnotherPassword(): boolean {
    return !this.#issued.lease.revocable
  }

  /** Whether its sessions wait for a new password: the user was not replaced by another. */
  get mayComeBack(): boolean {
    return this.mayHaveAnotherPassword && this.#retireBy === Number.POSITIVE_INFINITY
  }

  /** The same user has a new password: sessions live on, and a life that was over begins again. */
  succeedBy({ credential, issued }: Candidate): void {
    this.#credential = credential
    this.#issued = issued
    this.#over = false
  }

  renewed(lease: Lease): void {
    this.#issued = { ...this.#issued, lease }
  }

  /** The credential is dead, whatever its lease says. */
  end(): void {
    this.#over = true
  }

  /** It was replaced: whoever cannot leave it yet has until then. */
  retireBy(deadline: number): void {
    this.#retireBy = deadline
  }
}
