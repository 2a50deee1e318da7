import { describe, expect, it } from 'vitest'
import { CredentialNotProvenError, CredentialsUnavailableError } from '../../src/errors.ts'
import type { Attachment } from '../../src/lease/attachment.ts'
import { joined, quietConsumer, refuse } from '../manager-of.ts'
import { scriptedManager, suspect } from '../scripted-manager.ts'

const second = 1_000

describe('a lease manager that is told of refusals and suspicions', () => {
  it('rotates once for any number of refusals, then with growing gaps', async () => {
    const { clock, source, lease } = scriptedManager()
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
    const { clock, source, lease, attachments, events } = scriptedManager([quietConsumer()])
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

  it('on a suspicion makes callers wait for the proof, and keeps a credential that is good', async () => {
    const consumer = quietConsumer()
    const { source, lease, attachments } = scriptedManager([consumer])
    const [pool] = attachments as [Attachment]
    await lease.ready()
    suspect(pool)
    expect(pool.current).toBeUndefined()
    expect((await pool.credential()).username).toBe('v-1')
    expect(source.calls).toEqual(['fetch'])
  })

  it('on a suspicion that the proof confirms, rotates', async () => {
    const consumer = quietConsumer()
    const { lease, attachments } = scriptedManager([consumer])
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
    const { clock, lease, attachments } = scriptedManager([consumer])
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
    const { clock, lease, attachments } = scriptedManager([consumer])
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
})
