import { afterEach, describe, expect, it, vi } from 'vitest'
import { CircuitBreaker } from '../../src/vault/circuit-breaker.ts'
import { VaultError, type VaultErrorCode } from '../../src/vault/errors.ts'
import { ManualClock } from '../manual-clock.ts'
import { rejection } from '../secrets.ts'

const second = 1_000

function setUp(options = {}) {
  const clock = new ManualClock()
  const circuit = new CircuitBreaker({ failures: 5, pauseMs: 30 * second, ...options }, clock)
  let asked = 0
  const ask = (fails?: VaultErrorCode, deadline?: number): Promise<unknown> =>
    circuit.run(async () => {
      asked++
      if (fails) throw new VaultError('it fails', { code: fails, retryable: true })
    }, deadline)
  return { clock, circuit, ask, asked: () => asked }
}

async function broken(options = {}) {
  const all = setUp(options)
  for (let n = 0; n < 5; n++) await rejection(all.ask('ERR_VAULT_UNREACHABLE'))
  return all
}

describe('the circuit breaker before Vault', () => {
  afterEach(() => vi.restoreAllMocks())

  it('opens after five failures in a row and lets one trial through when thirty seconds are over', async () => {
    const { clock, circuit, ask, asked } = await broken()
    expect(circuit.state).toBe('open')
    expect(await rejection(ask())).toMatchObject({
      code: 'ERR_VAULT_CIRCUIT_OPEN',
      retryable: true,
      retryAfterMs: 30 * second,
      message: expect.stringContaining('it fails'),
    })
    await clock.advance(30 * second - 1)
    await rejection(ask())
    expect(asked()).toBe(5)
    await clock.advance(1)
    await rejection(ask('ERR_VAULT_TIMEOUT'))
    expect(asked()).toBe(6)
    expect(circuit.state).toBe('open')
    await rejection(ask())
    await clock.advance(30 * second)
    await ask()
    expect(circuit.state).toBe('closed')
    expect(asked()).toBe(7)
  })

  it('stays closed when there is a success in between', async () => {
    const { circuit, ask } = setUp()
    for (let n = 0; n < 20; n++) {
      if (n % 5 === 4) await ask()
      else await rejection(ask('ERR_VAULT_SEALED'))
    }
    expect(circuit.state).toBe('closed')
  })

  it.each([
    'ERR_VAULT_PERMISSION_DENIED',
    'ERR_VAULT_UNKNOWN_ROLE',
    'ERR_VAULT_RATE_LIMITED',
    'ERR_VAULT_DATABASE',
  ] as const)('does not count %s: Vault answers', async (code) => {
    const { circuit, ask } = setUp()
    for (let n = 0; n < 20; n++) await rejection(ask(code))
    expect(circuit.state).toBe('closed')
  })

  it('takes its numbers from the options', async () => {
    const { clock, circuit, ask } = setUp({ failures: 1, pauseMs: 100 })
    await rejection(ask('ERR_VAULT_SERVER'))
    expect(circuit.state).toBe('open')
    await clock.advance(100)
    await ask()
    expect(circuit.state).toBe('closed')
  })

  it('does not cost a credential its life: who cannot wait is let through, and closes the circuit by a success', async () => {
    const { clock, circuit, ask, asked } = await broken()
    await rejection(ask(undefined, clock.now() + 31 * second))
    expect(asked()).toBe(5)
    await rejection(ask('ERR_VAULT_UNREACHABLE', clock.now() + 20 * second))
    expect(asked()).toBe(6)
    expect(circuit.state).toBe('open')
    await ask(undefined, clock.now() + 20 * second)
    expect(circuit.state).toBe('closed')
  })

  it('during a trial lets nobody else through who can wait', async () => {
    const { clock, circuit } = await broken()
    await clock.advance(30 * second)
    const trial = withResolvers()
    const trying = circuit.run(() => trial.promise)
    expect(circuit.state).toBe('half-open')
    expect(await rejection(circuit.run(async () => {}))).toMatchObject({ code: 'ERR_VAULT_CIRCUIT_OPEN' })
    expect(await circuit.run(async () => 'urgent', 0)).toBe('urgent')
    trial.resolve()
    await trying
    expect(circuit.state).toBe('closed')
  })

  it('does not wait for ever for a trial that is never answered: after as long as the pause there is another', async () => {
    const { clock, circuit, ask, asked } = await broken()
    await clock.advance(30 * second)
    const silent = withResolvers()
    const unanswered = circuit.run(() => silent.promise)
    await clock.advance(30 * second - 1)
    expect(await rejection(ask())).toMatchObject({ code: 'ERR_VAULT_CIRCUIT_OPEN', retryAfterMs: 0 })
    await clock.advance(1)
    await rejection(ask('ERR_VAULT_TIMEOUT'))
    expect(asked()).toBe(6)
    expect(circuit.state).toBe('open')
    silent.resolve()
    await unanswered
    expect(circuit.state).toBe('open')
  })

  it('learns nothing from a trial that is given up: the next request is one', async () => {
    const { clock, circuit, ask } = await broken()
    await clock.advance(30 * second)
    await rejection(circuit.run(() => Promise.reject(new Error('given up'))))
    expect(circuit.state).toBe('open')
    await rejection(ask('ERR_VAULT_UNREACHABLE'))
    expect(circuit.state).toBe('open')
    await clock.advance(30 * second)
    await rejection(ask('ERR_VAULT_PERMISSION_DENIED'))
    expect(circuit.state).toBe('closed')
    await rejection(ask('ERR_VAULT_UNREACHABLE'))
    expect(circuit.state).toBe('closed')
  })

  it('counts what was asked before a success and fails after it, and not what fails during the trial', async () => {
    const { clock, circuit, ask } = setUp({ failures: 2 })
    const timeout = new VaultError('it fails', { code: 'ERR_VAULT_TIMEOUT' })
    const [slow, slower] = [withResolvers(), withResolvers()]
    const fail = (after: Promise<void>) =>
      rejection(circuit.run(() => after.then(() => Promise.reject(timeout))))
    const failing = [fail(slow.promise), fail(slower.promise)]
    await ask()
    slow.resolve()
    await failing[0]
    expect(circuit.state).toBe('closed')
    await rejection(ask('ERR_VAULT_TIMEOUT'))
    expect(circuit.state).toBe('open')
    await clock.advance(30 * second)
    const trial = withResolvers()
    const trying = circuit.run(() => trial.promise)
    slower.resolve()
    await failing[1]
    expect(circuit.state).toBe('half-open')
    trial.resolve()
    await trying
    expect(circuit.state).toBe('closed')
  })

  it('is not held open by a date that is set back', async () => {
    const { clock, circuit, ask } = await broken()
    const { now } = Date
    vi.spyOn(Date, 'now').mockImplementation(() => now() - 3_600 * second)
    await clock.advance(30 * second)
    await ask()
    expect(circuit.state).toBe('closed')
  })
})

function withResolvers(): { promise: Promise<void>; resolve(): void } {
  let resolve = (): void => {}
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
