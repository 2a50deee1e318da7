import { CredentialNotProvenError } from '../errors.ts'
import type { Clock } from '../resilience/clock.ts'
import { deadlineAfter, sleep } from '../resilience/clock.ts'
import type { CredentialSource, IssuedCredential } from '../source/source.ts'
import type { Consumer } from './consumer.ts'
import { Credential } from './credential.ts'
import type { Generation } from './generation.ts'
import { deadlineOf } from './schedule.ts'

/** What it takes to prove a credential. */
export interface Proving {
  readonly source: CredentialSource
  readonly consumers: Iterable<Consumer>
  readonly clock: Clock
  readonly generation: number
  readonly signal: AbortSignal
  /** Called when an unproven credential could not be given back. */
  onOrphan(error: unknown): void
}

/** A database that lags behind the one in which Vault created the user learns of it a little later. */
const proveAgainAfterMs = [50, 100, 250, 500, 1_000, 1_000]
const giveBackWithinMs = 5_000

/** Proves a credential to every consumer. One that cannot be proven is revoked again. */
export async function prove(issued: IssuedCredential, steps: Proving): Promise<Generation> {
  const credential = new Credential(steps.generation, issued.username, issued.password)
  try {
    await Promise.all(Array.from(steps.consumers, (consumer) => proveTo(consumer, credential, steps)))
    if (steps.clock.now() >= deadlineOf(issued.lease, issued.tokenFacts())) throw overBeforeItsUse(credential)
  } catch (error) {
    await withdraw(credential, steps)
    await giveBack(issued, steps)
    throw error
  }
  return { credential, issued }
}

async function proveTo(consumer: Consumer, credential: Credential, steps: Proving): Promise<void> {
  for (const pause of proveAgainAfterMs) {
    try {
      return await consumer.prove(credential, steps.signal)
    } catch (error) {
      if (!(error instanceof CredentialNotProvenError && error.refused)) throw error
      await sleep(steps.clock, pause, steps.signal)
    }
  }
  await consumer.prove(credential, steps.signal)
}

function overBeforeItsUse({ username }: Credential): CredentialNotProvenError {
  return new CredentialNotProvenError(
    `The lease of the database user "${username}" was over before the user could be proven: let it live longer (default_ttl of a role, expiresAt of a function).`,
    { refused: false },
  )
}

/** A consumer that had proven it may keep connections for when it is published. */
async function withdraw({ generation }: Credential, { consumers, clock }: Proving): Promise<void> {
  const terms = {
    deadline: clock.now(),
    signal: AbortSignal.abort(),
    stragglerError: () => new Error('the credential was never published'),
  }
  await Promise.allSettled(Array.from(consumers, (consumer) => consumer.retire(generation, terms)))
}

async function giveBack(issued: IssuedCredential, { source, clock, onOrphan }: Proving): Promise<void> {
  if (!issued.lease.revocable) return
  const deadline = deadlineAfter(clock, giveBackWithinMs, () => new Error('giving back took too long'))
  try {
    await source.revoke(issued, { signal: deadline.signal })
  } catch (error) {
    onOrphan(error)
  } finally {
    deadline[Symbol.dispose]()
  }
}
