import { setImmediate } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { CredentialNotProvenError, LeaseClosedError } from '../../src/errors.ts'
import { VaultError } from '../../src/vault/errors.ts'
import { quietConsumer } from '../manager-of.ts'
import { scriptedManager } from '../scripted-manager.ts'

const second = 1_000

describe('a lease manager that gives back what it has', () => {
  it('has what was opened with a credential closed before it is given back', async () => {
    const consumer = quietConsumer()
    const { clock, source, lease } = scriptedManager([consumer])
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

  it('shortens the old lease for the time of the drain, so that a crash leaves nothing for long', async () => {
    const slow = quietConsumer()
    slow.retire = (_generation, { signal }) =>
      new Promise((resolve) => signal.addEventListener('abort', () => resolve({ closed: 0, forced: 1 })))
    const { clock, source, lease } = scriptedManager([slow])
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
    const { clock, source, lease, events } = scriptedManager([quietConsumer()])
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
    const { clock, source, lease } = scriptedManager([quietConsumer()])
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
    const { source, lease } = scriptedManager([quietConsumer()])
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
    const unused = scriptedManager()
    await unused.lease.close()
    expect(unused.source.calls).toEqual([])
    expect(unused.lease.status().state).toBe('closed')
    const rotating = scriptedManager([quietConsumer()])
    await rotating.lease.ready()
    await rotating.clock.advance(0)
    const rotation = rotating.lease.rotate()
    expect(rotating.lease.status().state).toBe('rotating')
    await rotating.lease.close()
    await rotation
    expect([...rotating.source.alive]).toEqual([])
  })

  it('says of a rotation that still waits for its turn when the lease is closed that this is why', async () => {
    const { clock, source, lease } = scriptedManager()
    source.hang = true
    const rotations = [lease.rotate(), lease.rotate()]
    const refused = Promise.all(rotations.map((each) => expect(each).rejects.toThrow(LeaseClosedError)))
    const closed = lease.close()
    await clock.advance(60 * second)
    await closed
    await refused
  })

  it('close() leaves no timer, also when Vault hangs', async () => {
    const { clock, source, lease } = scriptedManager([quietConsumer()])
    await lease.ready()
    source.hang = true
    const closed = lease.close()
    await clock.advance(60 * second)
    await closed
    expect(clock.pending).toBe(0)
  })
})
