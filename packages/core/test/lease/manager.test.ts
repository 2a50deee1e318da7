import { EventEmitter, once } from 'node:events'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { CredentialNotProvenError, CredentialsUnavailableError, LeaseClosedError } from '../../src/errors.ts'
import type { Attachment } from '../../src/lease/attachment.ts'
import type { Consumer } from '../../src/lease/consumer.ts'
import type { LeaseEvents } from '../../src/lease/events.ts'
import { attach } from '../../src/lease/manager.ts'
import { VaultError } from '../../src/vault/errors.ts'
import { joined, managerOf, quietConsumer, refuse } from '../manager-of.ts'
import { ManualClock } from '../manual-clock.ts'
import { ScriptedSource } from '../scripted-source.ts'

const second = 1_000

function setUp(consumers: Consumer[] = []) {
  const clock = new ManualClock()
  const source = new ScriptedSource(clock)
  const lease = managerOf({ source, clock, random: () => 0.5, drainTimeoutMs: 300 * second })
  const attachments = consumers.map((consumer) => attach(lease, consumer))
  const events: (keyof LeaseEvents)[] = []
  for (const name of ['rotated', 'renewed', 'retired', 'revoked', 'failed', 'expired'] as const) {
    lease.on(name, () => void events.push(name))
  }
  return { clock, source, lease, attachments, events }
}

/** A statement was denied. */
function suspect(pool: Attachment): void {
  if (pool.current) pool.suspected(pool.current)
}

describe('a lease manager', () => {
  it('does nothing before it is asked', async () => {
    const { clock, source, lease } = setUp()
    await clock.advance(3_600 * second)
    expect(source.calls).toEqual([])
    expect(lease.status()).toMatchObject({ state: 'starting', generation: 0 })
  })

  it('says of an attempt that it gives up on whom it waited', async () => {
    const hangs = quietConsumer()
    hangs.prove = (_credential, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const database = setUp([hangs])
    const vault = setUp()
    vault.source.hang = true
    for (const { clock, lease, says } of [
      { ...database, says: 'The database at test://db had not answered 15000 ms after' },
      { ...vault, says: 'Check whether Vault' },
    ]) {
      const waiting = expect(lease.ready()).rejects.toThrow(says)
      await clock.advance(15 * second)
      await waiting
    }
  })

  it('does not say twice what failed', async () => {
    const broken = quietConsumer()
    broken.prove = () => Promise.reject(new TypeError('a bug at postgres://u:secret@h'))
    const { lease } = setUp([broken])
    await expect(lease.ready()).rejects.toThrow(
      /^No usable database credential from \S+\. The step "prove" failed: a bug at postgres:\/\/\[redacted\]@h The next attempt/,
    )
  })

  it('takes no time that is none, and goes on', async () => {
    const { lease } = setUp()
    for (const timeoutMs of [Number.NaN, -1, '5' as never]) {
      await expect(lease.credential({ timeoutMs })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
      await expect(lease.close({ timeoutMs })).rejects.toMatchObject({ code: 'ERR_INVALID_OPTION' })
    }
    await lease.ready()
    await expect(lease.credential({ timeoutMs: Number.NaN })).rejects.toMatchObject({
      code: 'ERR_INVALID_OPTION',
    })
    await expect(lease.credential({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow(
      'enough',
    )
    await lease.close()
  })

  it('fetches once for all who ask at the same time', async () => {
    const { source, lease } = setUp()
    const credentials = await Promise.all([
      lease.credential(),
      lease.credential(),
      lease.ready(),
      lease.credential(),
    ])
    expect(source.calls).toEqual(['fetch'])
    expect(credentials[0]).toBe(credentials[1])
    expect(lease.status()).toMatchObject({ state: 'ready', generation: 1, username: 'v-1' })
  })

  it('renews for ever while the lease can be extended', async () => {
    const { clock, source, lease } = setUp()
    await lease.ready()
    await clock.advance(24 * 3_600 * second)
    expect(new Set(source.calls)).toEqual(new Set(['fetch', 'renew']))
    expect(source.calls.length).toBeGreaterThan(2_100)
    expect(source.calls.length).toBeLessThan(2_200)
  })

  it('rotates when max TTL cuts a renewal short, then retires and revokes the old one', async () => {
    const { clock, source, lease, events } = setUp([quietConsumer()])
    source.ttl = 10 * second
    source.maxTtl = 30 * second
    await lease.ready()
    await clock.advance(30 * second)
    expect(source.calls).toEqual(['fetch', 'renew', 'renew', 'renew', 'renew', 'fetch', 'revoke v-1'])
    expect(events).toEqual([
      'rotated',
      'renewed',
      'renewed',
      'renewed',
      'renewed',
      'rotated',
      'retired',
      'revoked',
    ])
    expect([...source.alive]).toEqual(['v-2'])
  })

  it('proves before it publishes, and gives back what cannot be proven', async () => {
    const refusing = quietConsumer()
    const { clock, source, lease } = setUp([refusing])
    await lease.ready()
    refusing.prove = async () => {
      throw new CredentialNotProvenError('no', { refused: true })
    }
    const steps: string[] = []
    lease.on('failed', ({ step }) => void steps.push(step))
    const rotation = expect(lease.rotate()).rejects.toThrow(CredentialNotProvenError)
    await clock.advance(3 * second)
    await rotation
    expect([...source.alive]).toEqual(['v-1'])
    expect(lease.current?.username).toBe('v-1')
    expect(lease.status()).toMatchObject({ state: 'degraded', failures: 1 })
    expect(steps).toEqual(['prove'])
  })

  it('has what was opened with a credential closed before it is given back', async () => {
    const consumer = quietConsumer()
    const { clock, source, lease } = setUp([consumer])
    await lease.ready()
    consumer.retire = async (generation) => {
      source.calls.push(`retire ${generation}`)
      return { closed: 1, forced: 0 }
    }
    consumer.prove = async () => {
      throw new CredentialNotProvenError('no', { refused: false })
    }
    const rotation = expect(lease.rotate()).rejects.toThrow(CredentialNotProvenError)
    await clock.advance(second)
    await rotation
    expect(source.calls).toEqual(['fetch', 'fetch', 'retire 2', 'revoke v-2'])
  })

  it('does not publish a credential that is over by the time that it is proven, nor makes one after the other', async () => {
    const slow = quietConsumer()
    const { clock, source, lease } = setUp([slow])
    source.ttl = 1 * second
    slow.prove = () => new Promise((resolve) => clock.schedule(2 * second, () => resolve('accepted')))
    const first = expect(lease.credential()).rejects.toMatchObject({ code: 'ERR_CREDENTIALS_UNAVAILABLE' })
    await clock.advance(60 * second)
    await first
    expect(lease.generation).toBe(0)
    expect([...source.alive].length).toBeLessThanOrEqual(1)
    expect(source.calls.filter((call) => call === 'fetch').length).toBeLessThan(20)
  })

  it('serves a live credential while Vault fails, and throws at once when it is dead', async () => {
    const { clock, source, lease, events } = setUp()
    await lease.ready()
    source.fault = new Error('Vault is down')
    await clock.advance(59 * second)
    expect(lease.current?.username).toBe('v-1')
    expect(lease.status().state).toBe('degraded')
    await clock.advance(1 * second)
    expect(lease.current).toBeUndefined()
    expect(lease.status().state).toBe('expired')
    expect(events).toContain('expired')
    await expect(lease.credential()).rejects.toMatchObject({
      code: 'ERR_CREDENTIALS_UNAVAILABLE',
      retryable: true,
      cause: expect.objectContaining({ message: expect.stringContaining('Vault is down') }),
    })
    source.fault = undefined
    await clock.advance(10 * second)
    expect(lease.current?.username).toBe('v-2')
    expect(lease.status()).toMatchObject({ state: 'ready', failures: 0, lastError: undefined })
  })

  it('shows that the token cannot be renewed, until it can, and is degraded meanwhile', async () => {
    const { clock, source, lease } = setUp()
    source.ttl = 3_600 * second
    source.token = { issuedAt: 0, end: 30 * second, renewable: true, replaceable: true }
    await lease.ready()
    expect(lease.status()).toMatchObject({
      state: 'ready',
      token: { expiresInMs: 30 * second, failures: 0, lastError: undefined },
    })
    source.fault = new Error('no renewal today')
    source.faultAt = 'renew-token'
    await clock.advance(20.1 * second)
    expect(lease.status()).toMatchObject({
      state: 'degraded',
      failures: 0,
      token: { failures: 1, lastError: expect.stringContaining('no renewal today') },
    })
    source.fault = undefined
    await clock.advance(second)
    expect(lease.status()).toMatchObject({ state: 'ready', token: { failures: 0, lastError: undefined } })
    source.token = undefined
    await lease.rotate()
    expect(lease.status().token).toBeUndefined()
    await lease.close()
  })

  it('recovers as soon as Vault does, also from errors that could have named a time to wait', async () => {
    const { clock, source, lease } = setUp()
    await lease.ready()
    source.fault = new VaultError('unreachable', { code: 'ERR_VAULT_UNREACHABLE', retryable: true })
    await clock.advance(55 * second)
    source.fault = undefined
    await clock.advance(4 * second)
    expect(lease.status()).toMatchObject({ state: 'ready', failures: 0 })
    expect(source.calls.filter((call) => call === 'renew').length).toBeGreaterThan(3)
  })

  it('tries often enough before the end, and not too often after it', async () => {
    const { clock, source, lease } = setUp()
    await lease.ready()
    source.fault = new Error('Vault is down')
    source.calls.length = 0
    await clock.advance(60 * second)
    expect(source.calls.filter((call) => call === 'renew').length).toBeGreaterThan(3)
    expect(source.calls.filter((call) => call === 'fetch').length).toBeGreaterThan(1)
    source.calls.length = 0
    await clock.advance(600 * second)
    expect(source.calls.length).toBeGreaterThan(60)
    expect(source.calls.length).toBeLessThan(300)
  })

  it('does not wait longer than the caller wants to for a hung Vault', async () => {
    const { clock, source, lease } = setUp()
    source.hang = true
    const waiting = expect(lease.credential({ timeoutMs: 3 * second })).rejects.toThrow(
      CredentialsUnavailableError,
    )
    await clock.advance(3 * second)
    await waiting
    const stop = new AbortController()
    const aborted = expect(lease.credential({ signal: stop.signal })).rejects.toThrow('enough')
    stop.abort(new Error('enough'))
    await aborted
    await clock.advance(20 * second)
    await expect(lease.credential()).rejects.toThrow(CredentialsUnavailableError)
  })

  it('a wake-up after the lease has died serves nobody with it', async () => {
    const { clock, lease } = setUp()
    await lease.ready()
    clock.jump(61 * second)
    expect(lease.current).toBeUndefined()
    expect((await lease.credential()).username).toBe('v-2')
  })

  it('rotates once for any number of refusals, then with growing gaps', async () => {
    const { clock, source, lease } = setUp()
    const pool = joined(lease, quietConsumer())
    await lease.ready()
    const { current } = pool
    const answers = await Promise.all([refuse(pool, current), refuse(pool, current), refuse(pool, current)])
    expect(answers).toEqual([true, true, true])
    expect(source.calls.filter((call) => call === 'fetch')).toHaveLength(2)
    const newer = pool.current
    expect(await refuse(pool)).toBe(false)
    expect(lease.current).toBeUndefined()
    await expect(lease.credential()).rejects.toMatchObject({ nextAttemptInMs: 1_000 })
    await clock.advance(1 * second)
    expect(await refuse(pool, newer)).toBe(true)
    const third = pool.current
    await clock.advance(1 * second)
    expect(await refuse(pool)).toBe(false)
    await clock.advance(1 * second)
    expect(await refuse(pool, third)).toBe(true)
  })

  it('does not use a credential that the database has refused, also when Vault cannot give another', async () => {
    const { clock, source, lease, attachments, events } = setUp([quietConsumer()])
    const [pool] = attachments as [Attachment]
    await lease.ready()
    source.fault = new Error('Vault is down')
    expect(await refuse(pool)).toBe(false)
    expect(lease.current).toBeUndefined()
    expect(lease.generation).toBe(0)
    await expect(lease.credential()).rejects.toThrow(CredentialsUnavailableError)
    source.fault = undefined
    await clock.advance(5 * second)
    expect(lease.current?.username).toBe('v-2')
    expect(events.filter((name) => name !== 'failed')).toEqual([
      'rotated',
      'expired',
      'retired',
      'rotated',
      'revoked',
    ])
  })

  it('a renewal that comes back after the credential has died does not bring it back', async () => {
    const { clock, source, lease, attachments, events } = setUp([quietConsumer()])
    const [pool] = attachments as [Attachment]
    await lease.ready()
    const answers = new EventEmitter()
    const { renew } = source
    source.renew = async (old, signal) => {
      await once(answers, 'renewal')
      return await renew.call(source, old, signal)
    }
    await clock.advance(41 * second)
    expect(await Promise.race([refuse(pool), sleep(10, 'waiting')])).toBe('waiting')
    answers.emit('renewal')
    await setImmediate()
    expect((await lease.credential()).username).toBe('v-2')
    await setImmediate()
    expect(events).toEqual(['rotated', 'expired', 'retired', 'revoked', 'rotated'])
  })

  it('on a suspicion makes callers wait for the proof, and keeps a credential that is good', async () => {
    const consumer = quietConsumer()
    const { source, lease, attachments } = setUp([consumer])
    const [pool] = attachments as [Attachment]
    await lease.ready()
    suspect(pool)
    expect(pool.current).toBeUndefined()
    expect((await pool.credential()).username).toBe('v-1')
    expect(source.calls).toEqual(['fetch'])
  })

  it('on a suspicion that the proof confirms, rotates', async () => {
    const consumer = quietConsumer()
    const { lease, attachments } = setUp([consumer])
    const [pool] = attachments as [Attachment]
    await lease.ready()
    consumer.prove = async ({ generation }) => {
      if (generation === 1) throw new CredentialNotProvenError('gone', { refused: true })
      return 'accepted'
    }
    suspect(pool)
    expect((await lease.credential()).username).toBe('v-2')
  })

  it('on suspicions that came to nothing, learns within a second all the same that the user is gone', async () => {
    const consumer = quietConsumer()
    const { clock, lease, attachments } = setUp([consumer])
    const [pool] = attachments as [Attachment]
    await lease.ready()
    suspect(pool)
    await lease.credential()
    consumer.prove = async ({ generation }) => {
      if (generation === 1) throw new CredentialNotProvenError('gone', { refused: true })
      return 'accepted'
    }
    await clock.advance(600)
    suspect(pool)
    expect((await lease.credential()).username).toBe('v-2')
  })

  it('spends no more than a tenth of the time on suspicions', async () => {
    const consumer = quietConsumer()
    const { clock, lease, attachments } = setUp([consumer])
    const [pool] = attachments as [Attachment]
    await lease.ready()
    let proofs = 0
    consumer.prove = async () => {
      proofs++
      await clock.advance(200)
      return 'accepted'
    }
    for (let ms = 0; ms < 20_000; ms += 100) {
      suspect(pool)
      await lease.credential()
      await clock.advance(100)
    }
    expect(proofs).toBeGreaterThan(5)
    // 20 s, and the time of the proofs themselves.
    expect(proofs).toBeLessThanOrEqual(12)
  })

  it('shortens the old lease for the time of the drain, so that a crash leaves nothing for long', async () => {
    const slow = quietConsumer()
    slow.retire = (_generation, { signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve({ closed: 0, forced: 1 })))
    const { clock, source, lease } = setUp([slow])
    source.ttl = 3_600 * second
    await lease.ready()
    await lease.rotate()
    await setImmediate()
    expect(source.calls).toContain('shorten to 302 s')
    expect(source.calls).not.toContain('revoke v-1')
    expect(lease.status().retiring).toEqual([1])
    await clock.advance(300 * second)
    expect(source.calls).toContain('revoke v-1')
  })

  it('tries again to revoke what could not be revoked, and shows that it does', async () => {
    const { clock, source, lease, events } = setUp([quietConsumer()])
    source.ttl = 3_600 * second
    await lease.ready()
    await lease.rotate()
    await setImmediate()
    expect([...source.alive]).toEqual(['v-2'])
    const { revoke } = source
    source.revoke = async () => {
      throw new VaultError('Vault is down', { code: 'ERR_VAULT_UNREACHABLE', retryable: true })
    }
    await lease.rotate()
    await clock.advance(10 * second)
    expect(lease.status().retiring).toEqual([2])
    source.revoke = revoke
    await clock.advance(10 * second)
    expect([...source.alive]).toEqual(['v-3'])
    expect(events.filter((name) => name === 'revoked')).toHaveLength(2)
    expect(lease.status().retiring).toEqual([])
  })

  it('close() ends also while a revocation keeps failing', async () => {
    const { clock, source, lease } = setUp([quietConsumer()])
    source.ttl = 3_600 * second
    await lease.ready()
    source.revoke = async () => {
      throw new VaultError('Vault is down', { code: 'ERR_VAULT_UNREACHABLE', retryable: true })
    }
    await lease.rotate()
    await clock.advance(second)
    await lease.close()
    expect(source.calls.filter((call) => call.endsWith('in the background'))).toEqual([
      'revoke v-1 in the background',
      'revoke v-2 in the background',
    ])
    expect(lease.status().state).toBe('closed')
    expect(clock.pending).toBe(0)
  })

  it('close() drains, revokes and gives back the token, once', async () => {
    const { source, lease } = setUp([quietConsumer()])
    await lease.ready()
    const states: string[] = []
    lease.on('state', ({ to }) => states.push(to))
    await Promise.all([lease.close(), lease.close(), lease[Symbol.asyncDispose]()])
    expect(states).toEqual(['closing', 'closed'])
    expect(source.calls.filter((call) => !call.startsWith('shorten'))).toEqual([
      'fetch',
      'revoke v-1',
      'close',
    ])
    expect(lease.status().state).toBe('closed')
    await expect(lease.credential()).rejects.toThrow(LeaseClosedError)
    await expect(lease.rotate()).rejects.toThrow(LeaseClosedError)
  })

  it('close() before the first use and during a rotation leaves nothing', async () => {
    const unused = setUp()
    await unused.lease.close()
    expect(unused.source.calls).toEqual([])
    expect(unused.lease.status().state).toBe('closed')
    const rotating = setUp([quietConsumer()])
    await rotating.lease.ready()
    await rotating.clock.advance(0)
    const rotation = rotating.lease.rotate()
    expect(rotating.lease.status().state).toBe('rotating')
    await rotating.lease.close()
    await rotation
    expect([...rotating.source.alive]).toEqual([])
  })

  it('says of a rotation that still waits for its turn when the lease is closed that this is why', async () => {
    const { clock, source, lease } = setUp()
    source.hang = true
    const rotations = [lease.rotate(), lease.rotate()]
    const refused = Promise.all(rotations.map((each) => expect(each).rejects.toThrow(LeaseClosedError)))
    const closed = lease.close()
    await clock.advance(60 * second)
    await closed
    await refused
  })

  it('close() leaves no timer, also when Vault hangs', async () => {
    const { clock, source, lease } = setUp([quietConsumer()])
    await lease.ready()
    source.hang = true
    const closed = lease.close()
    await clock.advance(60 * second)
    await closed
    expect(clock.pending).toBe(0)
  })

  it('survives listeners that throw', async () => {
    const { lease } = setUp()
    lease.on('rotated', () => {
      throw new Error('a bug of the application')
    })
    await lease.ready()
    expect(lease.current?.generation).toBe(1)
  })

  it('shows the password to nobody who does not ask for it', async () => {
    const { lease } = setUp()
    const credential = await lease.credential()
    expect(credential.password).toBe('secret-1')
    for (const text of [
      inspect(lease, { depth: 9, showHidden: true }),
      inspect(credential),
      JSON.stringify([lease, credential, lease.status(), { ...credential }]),
    ]) {
      expect(text).not.toContain('secret-1')
    }
  })
})
