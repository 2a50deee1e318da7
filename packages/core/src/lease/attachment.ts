import { CredentialsUnavailableError, type VaultLeaseError } from '../errors.ts'
import { type Clock, pause } from '../resilience/clock.ts'
import { followed, settled, unlessAborted } from '../resilience/settle.ts'
import type { Consumer, Retired, RetireTerms } from './consumer.ts'
import type { Credential } from './credential.ts'
import { asLeaseError } from './failures.ts'
import type { Generation } from './generation.ts'
import { type Found, Glance } from './glance.ts'
import { Offer } from './offer.ts'
import { PlaceStanding } from './place-standing.ts'
import { ask, type Verdict } from './proof.ts'
import type { PlaceState, PlaceStatus } from './status.ts'
import { drainTimeOf, type WaitOptions, waitFor } from './wait.ts'
import { Waiters } from './waiters.ts'

/** The lease that an attachment stands on. */
export interface AttachedLease {
  readonly clock: Clock
  /** 0 to 1, as Math.random. */
  readonly random: () => number
  readonly inForce: Generation | undefined
  /** Takes a consumer in. */
  add(attachment: Attachment): void
  /** Notices what no timer has told: that the process was suspended. */
  lookAround(): void
  /**
   * What may bring a credential, while something does.
   *
   * @throws LeaseClosedError
   */
  pending(attachment: Attachment): Promise<void> | undefined
  /** The database of an attachment refuses the credential that it uses: finds out whether it is dead for all. */
  judge(attachment: Attachment, credential: Credential, wasProven: boolean): Promise<void>
  /** A database goes on refusing a credential: it may be that the source knows another password of its user by now. */
  askForPassword(credential: Credential): void
  /** Has everything closed that the attachment has open, and forgets it. */
  part(attachment: Attachment, drainMs: number, signal: AbortSignal | undefined): Promise<void>
  unavailable(why?: string): CredentialsUnavailableError
  /** That none came in the time that a caller was ready to wait. */
  late(timeoutMs: number | undefined): CredentialsUnavailableError
  closedError(): Error
  /** The database of an attachment has let the user of a new connection in. */
  loggedIn(attachment: Attachment, credential: Credential): void
  /** How a place stands has changed. */
  noted(attachment: Attachment, from: PlaceState, error: VaultLeaseError | undefined): void
}

/** What of a lease may be used at one place. */
interface Usable {
  readonly credential: Credential | undefined
  readonly generation: number
}

const nothing: Usable = { credential: undefined, generation: 0 }
const answerWithinMs = 2_000
const closeWithinMs = 10_000
/** However often statements are denied, proofs take no more than a tenth of the time. */
const shortestGapOfProofsMs = 100
const gapOfProofs = 9

/**
 * One consumer on a lease: the credential that its new connections use, and how it stands with its own database. What goes
 * wrong here goes wrong for this consumer alone.
 */
export class Attachment {
  readonly #consumer: Consumer
  readonly #join: () => AttachedLease
  readonly #onLeft: () => void
  readonly #left = new AbortController()
  #lease: AttachedLease | undefined
  readonly #usable: Glance<Usable> = new Glance(nothing, () => this.#look())
  #generation: Generation | undefined
  #credential: Credential | undefined
  readonly #standing = new PlaceStanding()
  /** The newest credential that was offered before it was in force, and what the database said. */
  #offered: Offer | undefined
  /** What may bring a credential here. */
  #pending: Promise<unknown> | undefined
  #doubt: Promise<void> | undefined
  #noDoubtBefore = Number.NEGATIVE_INFINITY
  readonly #waiters = new Waiters()
  #closed: Promise<void> | undefined

  constructor(consumer: Consumer, join: () => AttachedLease, onLeft: () => void) {
    this.#consumer = consumer
    this.#join = join
    this.#onLeft = onLeft
  }

  /** The credential for a new connection at this moment; `undefined` when there is none that may be used here. */
  get current(): Credential | undefined {
    return this.#lease && this.#usable.at(this.#lease.clock).credential
  }

  /**
   * The generation whose connections are kept, be it for the next password of their user; 0 when there is none. Its end is
   * told by a timer, which may come late: before a connection is used, `current` is asked.
   */
  get generation(): number {
    return this.#lease ? this.#usable.lately(this.#lease.clock).generation : 0
  }

  /** How it stands with the database. */
  get state(): PlaceState {
    return this.#standing.state
  }

  status(): PlaceStatus {
    const { state, lastError, nextTryAt: next } = this.#standing
    return {
      place: this.#consumer.place,
      state,
      generation: this.#leftMs > 0 ? this.generation : 0,
      lastError: lastError?.message,
      nextTryInMs: next && Math.max(0, Math.round(next - (this.#lease?.clock.now() ?? 0))),
      usage: this.#consumer.usage?.(),
    }
  }

  /** Where it connects. */
  get place(): string {
    return this.#consumer.place
  }

  uses(credential: Credential): boolean {
    return this.#credential === credential
  }

  /**
   * The credential for a new connection. Waits for an attempt under way, but not through a backoff: when the last one failed
   * it throws at once, while the lease, and this place on it, go on trying. While another password of the same user may be
   * about to come it waits for the next attempts, too.
   *
   * @throws CredentialsUnavailableError when none can be had within the wait, with the reason as `cause`.
   * @throws LeaseClosedError after `close()` of this or of the lease.
   */
  async credential(options: WaitOptions = {}): Promise<Credential> {
    const lease = this.join()
    if (this.current) return this.current
    const late = (): Error =>
      this.#standing.refused === undefined ? lease.late(options.timeoutMs) : this.#unavailable()
    return await waitFor(lease.clock, options, late, (signal) => this.#whenUsable(signal))
  }

  /**
   * The database has refused a connection with this credential. Asks whoever else uses it whether it is dead for all, and
   * tells whether there is another one, so that connecting again makes sense.
   */
  async refused(credential: Credential, error: unknown, options: WaitOptions = {}): Promise<boolean> {
    this.#wasRefused(credential, error)
    try {
      return (await this.credential(options)) !== credential
    } catch {
      return false
    }
  }

  /** A new connection was accepted with this credential. */
  accepted(credential: Credential): void {
    const { state, refused } = this.#standing
    const refusesAnother = refused !== undefined && refused !== credential
    if (this.#credential !== credential || state === 'proven' || refusesAnother) return
    this.#note(() => this.#standing.takes('proven'))
  }

  /** The database has let the user of a new connection in, in force or only tried: told once for each connection. */
  loggedIn(credential: Credential): void {
    this.#lease?.loggedIn(this, credential)
  }

  /**
   * A statement was denied in a way that also happens when the user is gone, and its connection cannot tell: the user is
   * proven anew, not too often. Meanwhile new connections and acquires of this consumer wait.
   */
  suspected(credential: Credential): void {
    if (!this.#lease || this.#credential !== credential) return
    if (this.#lease.clock.now() >= this.#noDoubtBefore) this.doubt()
  }

  /** Nobody here uses the credential before the database has said whether it lives, and whoever else is asked meanwhile. */
  doubt(othersAnswer: Promise<unknown> = Promise.resolve()): void {
    const lease = this.#lease
    const credential = this.#credential
    if (!lease || !credential || this.#doubt) return
    const began = lease.clock.now()
    const answers = Promise.all([this.ask(credential), settled(lease.clock, othersAnswer, answerWithinMs)])
    this.#doubt = answers.then(([verdict]) => {
      this.#doubt = undefined
      const now = lease.clock.now()
      this.#noDoubtBefore = now + Math.max(shortestGapOfProofsMs, (now - began) * gapOfProofs)
      if (verdict.answer === 'refused') this.#wasRefused(credential, verdict.error)
      this.wake()
    })
    this.lookAnew()
  }

  /** Asks the database of this consumer for a credential. */
  async ask(credential: Credential, withinMs: number = answerWithinMs): Promise<Verdict> {
    const { clock } = this.join()
    return await ask(this.#consumer, credential, { clock, withinMs, left: this.#left.signal })
  }

  /** Proves a credential that is not in force yet, and has somebody decide by the answer. */
  async offer(
    credential: Credential,
    { withinMs, once }: { readonly withinMs: number; readonly once: boolean },
    decide: (verdict: Verdict) => void,
  ): Promise<void> {
    this.#offered?.outdate()
    const offered = new Offer(credential, once)
    this.#offered = offered
    const terms = { clock: this.join().clock, withinMs, left: this.#left.signal }
    await this.#awaiting(offered.prove(this.#consumer, terms).then(decide))
  }

  /** A credential is in force for the lease: uses it, unless the database has refused it here, or still thinks about it. */
  follow(generation: Generation, credential: Credential): void {
    // A verdict can come when its user has been replaced by now.
    if (this.join().inForce !== generation) return
    const offer = this.#offered?.credential === credential ? this.#offered : undefined
    if (offer?.verdict?.answer === 'refused') this.#isAlone(credential, offer.verdict.error)
    else if (!offer || offer.verdict) this.#use(generation, credential, offer?.verdict)
  }

  /** Has the connections of a generation closed when it is not used here any more, at the end of the time in any case. */
  async retire(generation: Generation, terms: RetireTerms): Promise<Retired> {
    const { clock } = this.join()
    while (this.#needs(generation) && !terms.signal.aborted) await this.#waiters.change(terms.signal)
    const retiring = Promise.resolve().then(() => this.#consumer.retire(generation.number, terms))
    try {
      return await followed(clock, retiring, terms.signal, closeWithinMs)
    } catch (failure) {
      return { closed: 0, forced: 0, failure }
    }
  }

  /** Resolves once the database has answered what it was asked last. */
  get decided(): Promise<unknown> {
    return this.#pending ?? Promise.resolve()
  }

  /** Closes what was opened to prove a credential that nobody else could prove. Rejects with what made that fail. */
  async withdraw(credential: Credential): Promise<void> {
    const over = AbortSignal.abort()
    const stragglerError = (): Error => new Error('the credential was never published')
    const { clock } = this.join()
    const retiring = Promise.resolve().then(() =>
      this.#consumer.retire(credential.generation, { deadline: clock.now(), signal: over, stragglerError }),
    )
    await followed(clock, retiring, over, closeWithinMs)
  }

  /** What is known of the lease's life has changed. */
  lookAnew(): void {
    this.#usable.forget()
  }

  /** Something may have changed for those who wait. */
  wake(): void {
    this.lookAnew()
    this.#waiters.wake()
  }

  /** Joins the lease by the first use: who never needed it holds nobody up. */
  join(): AttachedLease {
    const lease = this.#lease ?? this.#join()
    if (!this.#lease) {
      this.#lease = lease
      lease.add(this)
    }
    return lease
  }

  /**
   * Has every connection closed that was opened through it, those in use at the end of the time too, and leaves the lease to
   * the others. Closing twice is closing once.
   *
   * @param timeoutMs when it is over at the latest, whoever still holds a connection.
   */
  close({ timeoutMs, signal }: WaitOptions & { readonly timeoutMs: number }): Promise<void> {
    this.#closed ??= this.#close(timeoutMs, signal)
    return this.#closed
  }

  /** Its time on the lease is over: whatever is asked of its database is given up. */
  leave(): void {
    this.#credential = undefined
    this.lookAnew()
    this.#left.abort(new Error('the consumer has left the lease'))
    // Whoever keeps a closed pool is to keep no secret.
    this.#generation = undefined
    this.#offered = undefined
    this.#standing.forgetRefused()
    if (this.#lease) this.#usable.at(this.#lease.clock)
    this.wake()
  }

  async #close(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    this.leave()
    this.#onLeft()
    if (!this.#lease) return
    const parted = this.#lease.part(this, drainTimeOf(timeoutMs), signal)
    await settled(this.#lease.clock, parted, timeoutMs)
  }

  async #whenUsable(signal: AbortSignal | undefined): Promise<Credential> {
    const lease = this.join()
    for (;;) {
      if (this.#left.signal.aborted) throw lease.closedError()
      if (this.current) return this.current
      const pending = this.#doubt ?? this.#pending ?? lease.pending(this)
      if (!pending) throw this.#unavailable()
      await unlessAborted(this.#waiters.change(signal, pending), signal)
    }
  }

  /** What may be used here at this moment, and for how long if nothing changes. */
  #look(): Found<Usable> {
    this.#lease?.lookAround()
    const generation = this.#left.signal.aborted ? undefined : this.#generation
    if (!generation) return { value: nothing, lastsMs: 0 }
    const lastsMs = this.#leftMs
    const isHeld = this.#doubt !== undefined || this.#standing.refusesWhatIsInUse
    const credential = isHeld || lastsMs <= 0 ? undefined : this.#credential
    const isKept = lastsMs > 0 || generation.mayComeBack
    return { value: { credential, generation: isKept ? generation.number : 0 }, lastsMs }
  }

  /** Milliseconds for which the generation in use may be used, if nothing changes. */
  get #leftMs(): number {
    return (this.#lease && this.#generation?.leftMs(this.#lease.clock.now())) ?? 0
  }

  #unavailable(): CredentialsUnavailableError {
    const lease = this.join()
    if (this.#standing.refused === undefined || !lease.inForce) return lease.unavailable()
    const { place, lastError, nextTryInMs } = this.status()
    return new CredentialsUnavailableError(
      `The database at ${place} refuses the user that others use: ${sentence(lastError)} It is asked again in ${nextTryInMs ?? 0} ms.`,
      { cause: this.#standing.lastError, nextAttemptInMs: nextTryInMs },
    )
  }

  #use(generation: Generation, credential: Credential, verdict?: Verdict): void {
    if (this.#left.signal.aborted) return
    this.#generation = generation
    this.#credential = credential
    const error = verdict && 'error' in verdict ? verdict.error : undefined
    const state = verdict?.answer === 'accepted' ? 'proven' : 'unproven'
    this.#note(() => this.#standing.takes(state, error))
    this.#consumer.follow?.(credential)
    this.wake()
  }

  #wasRefused(credential: Credential, error: unknown): void {
    const lease = this.#lease
    const standing = this.#standing
    if (!lease || this.#credential !== credential || standing.refusesWhatIsInUse) return
    const wasProven = standing.state === 'proven'
    this.#note(() => standing.refuses(credential, asLeaseError('prove', error), { inUse: true }))
    void this.#awaiting(lease.judge(this, credential, wasProven)).then(() => this.#tryAgain())
  }

  /** What may bring a credential here is waited for by whoever needs one. */
  async #awaiting(pending: Promise<void>): Promise<void> {
    this.#pending = pending
    await pending
    if (this.#pending === pending) this.#pending = undefined
    this.wake()
  }

  /** Others have accepted what the database of this consumer refuses. */
  #isAlone(credential: Credential, error: VaultLeaseError): void {
    this.#note(() => this.#standing.refuses(credential, error, { inUse: false }))
    void this.#tryAgain()
    this.wake()
  }

  /** Asks again for what is in force, with growing gaps, until the database takes it. */
  async #tryAgain(): Promise<void> {
    const lease = this.join()
    const standing = this.#standing
    if (standing.nextTryAt !== undefined) return
    while (standing.state === 'refused' && lease.inForce) {
      const waitMs = standing.nextGapMs(lease.random())
      standing.nextTryAt = lease.clock.now() + waitMs
      await pause(lease.clock, waitMs, this.#left.signal)
      const { inForce } = lease
      if (this.#left.signal.aborted || standing.state !== 'refused' || !inForce) break
      const { credential } = inForce
      const verdict = await this.ask(credential)
      if (verdict.answer === 'accepted' && lease.inForce?.credential === credential)
        this.#use(inForce, credential, verdict)
      if (verdict.answer === 'refused') lease.askForPassword(credential)
    }
    standing.nextTryAt = undefined
  }

  /** Tells what a change of how it stands with the database comes to. */
  #note(change: () => void): void {
    const from = this.#standing.state
    change()
    const { state, lastError } = this.#standing
    this.lookAnew()
    if (from !== state) this.#lease?.noted(this, from, lastError)
  }

  #needs(generation: Generation): boolean {
    return this.#generation === generation && !this.#left.signal.aborted && this.#leftMs > 0
  }
}

function sentence(text = ''): string {
  return text.replace(/\.?$/, '.')
}

/** What a pool has of its part in a lease. */
export type PoolAttachment = Pick<
  Attachment,
  | 'current'
  | 'generation'
  | 'credential'
  | 'refused'
  | 'accepted'
  | 'loggedIn'
  | 'suspected'
  | 'status'
  | 'close'
>
