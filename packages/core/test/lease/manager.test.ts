import { EventEmitter, once } from 'node:events'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { CredentialNotProvenError, CredentialsUnavailableError } from '../../src/errors.ts'
import type { Attachment } from '../../src/lease/attachment.ts'
import { VaultError } from '../../src/vault/errors.ts'
import { quietConsumer, refuse } from '../manager-of.ts'
import { scriptedManager } from '../scripted-manager.ts'

const second = 1_000

describe('a lease manager', () => {
  it('does nothing before it is asked', async () => {
    const { clock, source, lease } = scriptedManager()
    await clock.advance(3_600 * second)
    expect(source.calls).toEqual([])
    expect(lease.status()).toMatchObject({ state: 'starting', generation: 0 })
  })

  it('says of an attempt that it gives up on whom it waited', async () => {
    const hangs = quietConsumer()
    hangs.prove = (_credential, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    const database = scriptedManager([hangs])
    const vault = scriptedManager()
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
    const { lease } = scriptedManager([broken])
    await expect(lease.ready()).rejects.toThrow(
      /^No usable database credential from \S+\. The step "prove" failed: a bug at postgres:\/\/\[redacted\]@h The next attempt/,
    )
  })

  it('takes no time that is none, and goes on', async () => {
    const { lease } = scriptedManager()
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
    const { source, lease } = scriptedManager()
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
    const { clock, source, lease } = scriptedManager()
    await lease.ready()
    await clock.advance(24 * 3_600 * second)
    expect(new Set(source.calls)).toEqual(new Set(['fetch', 'renew']))
    expect(source.calls.length).toBeGreaterThan(2_100)
    expect(source.calls.length).toBeLessThan(2_200)
  })

  it('rotates when max TTL cuts a renewal short, then retires and revokes the old one', async () => {
    const { clock, source, lease, events } = scriptedManager([quietConsumer()])
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
    const { clock, source, lease } = scriptedManager([refusing])
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

  it('does not publish a credential that is over by the time that it is proven, nor makes one after the other', async () => {
    const slow = quietConsumer()
    const { clock, source, lease } = scriptedManager([slow])
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
    const { clock, source, lease, events } = scriptedManager()
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
    const { clock, source, lease } = scriptedManager()
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
    const { clock, source, lease } = scriptedManager()
    await lease.ready()
    source.fault = new VaultError('unreachable', { code: 'ERR_VAULT_UNREACHABLE', retryable: true })
    await clock.advance(55 * second)
    source.fault = undefined
    await clock.advance(4 * second)
    expect(lease.status()).toMatchObject({ state: 'ready', failures: 0 })
    expect(source.calls.filter((call) => call === 'renew').length).toBeGreaterThan(3)
  })

  it('tries often enough before the end, and not too often after it', async () => {
    const { clock, source, lease } = scriptedManager()
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
    const { clock, source, lease } = scriptedManager()
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
    const { clock, lease } = scriptedManager()
    await lease.ready()
    clock.jump(61 * second)
    expect(lease.current).toBeUndefined()
    expect((await lease.credential()).username).toBe('v-2')
  })

  it('a renewal that comes back after the credential has died does not bring it back', async () => {
    const { clock, source, lease, attachments, events } = scriptedManager([quietConsumer()])
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

  it('survives listeners that throw', async () => {
    const { lease } = scriptedManager()
    lease.on('rotated', () => {
      throw new Error('a bug of the application')
    })
    await lease.ready()
    expect(lease.current?.generation).toBe(1)
  })

  it('shows the password to nobody who does not ask for it', async () => {
    const { lease } = scriptedManager()
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
