import { vi } from 'vitest'
import { CredentialsUnavailableError } from '../src/errors.ts'
import type { Consumer, RetireTerms } from '../src/lease/consumer.ts'
import { Credential } from '../src/lease/credential.ts'
import {
  type ClientLease,
  ClientPerGeneration,
  type ClientPerGenerationParts,
} from '../src/pool/client-per-generation.ts'
import { type Clock, systemClock } from '../src/resilience/clock.ts'

export const refusal = new Error('refused')
export const never = new AbortController().signal
export const terms: RetireTerms = { deadline: 0, signal: never, stragglerError: () => new Error('too late') }

export const server = 'db:1'

export function fakeClient(user: string) {
  let open = 1
  return {
    user,
    most: 5,
    connections: () => new Map([[server, open]]),
    has: (connections: number) => {
      open = connections
    },
    openOne: vi.fn(async (_server: string, _signal: AbortSignal) => {
      open++
      return vi.fn()
    }),
    takeOver: vi.fn(),
    retire: vi.fn(async () => ({ closed: 2, forced: 1 })),
    close: vi.fn(async () => {}),
    load: () => ({ idle: open - 1, waiting: 2 }),
  }
}
export type FakeClient = ReturnType<typeof fakeClient>
export type Open = (credential: Credential, signal: AbortSignal) => Promise<FakeClient>

/** Clients of a driver that opens them at once, on a lease whose credential a test replaces. */
export function setUp(open: Open = async ({ username }) => fakeClient(username), clock: Clock = systemClock) {
  const lease = {
    current: new Credential(1, 'v-1', 'secret') as Credential | undefined,
    generation: 1,
    credential: vi.fn(async () => {
      if (!lease.current) throw new CredentialsUnavailableError('none now')
      return lease.current
    }),
    refused: vi.fn(async (_credential: Credential) => false),
    accepted: vi.fn(),
    suspected: vi.fn(),
  }
  const publish = (generation: number): Credential => {
    lease.generation = generation
    lease.current = new Credential(generation, `v-${generation}`, 'secret')
    return lease.current
  }
  const opened: FakeClient[] = []
  const attach = vi.fn((_consumer: Consumer): ClientLease => lease)
  const logins: (() => Credential)[] = []
  const driver = vi.fn<ClientPerGenerationParts<FakeClient, ClientLease>['open']>(async (login, signal) => {
    logins.push(login)
    const client = await open(login(), signal)
    opened.push(client)
    return client
  })
  const isRefusal = (error: unknown): boolean => error === refusal
  const parts = { attach, place: 'test://db', open: driver, isRefusal, patienceMs: 300 }
  return { lease, attach, publish, driver, logins, opened, clients: new ClientPerGeneration(parts, clock) }
}

/** A driver that has opened no client until it is let. */
export function slowly() {
  const waiting: (() => void)[] = []
  const open: Open = async ({ username }) => {
    await new Promise<void>((resolve) => waiting.push(resolve))
    return fakeClient(username)
  }
  return { open, letIn: () => waiting.shift()?.() }
}
