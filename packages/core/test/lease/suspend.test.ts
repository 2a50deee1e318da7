import { describe, expect, it } from 'vitest'
import { CredentialNotProvenError } from '../../src/errors.ts'
import type { Consumer } from '../../src/lease/consumer.ts'
import { attach } from '../../src/lease/manager.ts'
import { managerOf, quietConsumer } from '../manager-of.ts'
import { ManualClock } from '../manual-clock.ts'
import { ScriptedSource } from '../scripted-source.ts'

const second = 1_000
const hour = 3_600 * second

async function setUp(prove?: Consumer['prove']) {
  const clock = new ManualClock()
  const source = new ScriptedSource(clock)
  const lease = managerOf({ source, clock, random: () => 0.5, drainTimeoutMs: 300 * second })
  let proofs = 0
  if (prove) {
    const counted: Consumer['prove'] = async (...args) => {
      proofs++
      return await prove(...args)
    }
    attach(lease, { ...quietConsumer(), prove: counted })
  }
  await lease.ready()
  return { clock, source, lease, proofs: () => proofs }
}

const { prove: accepts } = quietConsumer()
const refusesTheFirst: Consumer['prove'] = async ({ generation }) => {
  if (generation === 1) throw new CredentialNotProvenError('gone', { refused: true })
  return 'accepted'
}

describe('after the machine has slept, the monotonic clock knows nothing of it', () => {
  it('nobody is given the credential before the database and Vault were asked for it', async () => {
    const { clock, source, lease, proofs } = await setUp(accepts)
    clock.ahead += hour
    expect(lease.current).toBeUndefined()
    expect(await lease.credential()).toMatchObject({ username: 'v-1' })
    expect(proofs()).toBe(2)
    expect(source.calls).toEqual(['fetch', 'renew'])
    await lease.close()
  })

  it('a user that the database knows no longer is replaced before anybody has used it', async () => {
    let alive = true
    const { clock, source, lease } = await setUp(async (credential, signal) => {
      return alive ? 'accepted' : await refusesTheFirst(credential, signal)
    })
    alive = false
    source.leaseGone = true
    clock.ahead += hour
    expect(await lease.credential()).toMatchObject({ username: 'v-2', generation: 2 })
    await lease.close()
  })

  it('a lease that Vault knows no longer is replaced also where no database is asked', async () => {
    const { clock, source, lease } = await setUp()
    source.leaseGone = true
    clock.ahead += hour
    expect(await lease.credential()).toMatchObject({ username: 'v-2' })
    await lease.close()
  })

  it('a live credential is kept while Vault cannot be asked', async () => {
    const { clock, source, lease } = await setUp(accepts)
    source.fault = new Error('Vault is down')
    clock.ahead += hour
    expect(await lease.credential()).toMatchObject({ username: 'v-1' })
    await lease.close()
  })

  it('a date that is set back, or drifts, is no sleep', async () => {
    const { clock, source, lease } = await setUp(accepts)
    clock.ahead -= hour
    expect(lease.current).toBeDefined()
    for (let n = 0; n < 10; n++) {
      clock.ahead += 190
      expect(lease.current).toBeDefined()
    }
    expect(source.calls).toEqual(['fetch'])
    await lease.close()
  })

  it('the token is asked for too, with which the lease would die', async () => {
    const { clock, source, lease } = await setUp(accepts)
    source.token = { issuedAt: 0, end: 3 * hour, renewable: true, replaceable: true }
    clock.ahead += hour
    await lease.credential()
    await clock.advance(second)
    expect(source.calls).toEqual(['fetch', 'renew', 'renew-token'])
    await lease.close()
  })

  it('the token is asked for again when that fails', async () => {
    const { clock, source, lease } = await setUp(accepts)
    source.token = { issuedAt: 0, end: 3 * hour, renewable: false, replaceable: true }
    source.fault = new Error('Vault is down')
    source.faultAt = 'renew-token'
    clock.ahead += hour
    await lease.credential()
    await clock.advance(100)
    source.fault = undefined
    await clock.advance(2 * second)
    expect(source.calls).toEqual(['fetch', 'renew', 'renew-token', 'renew-token'])
    await lease.close()
  })

  it('it is noticed by the timer too, when nobody acquires', async () => {
    const { clock, source, lease } = await setUp()
    clock.ahead += hour
    await clock.advance(45 * second)
    expect(source.calls).toEqual(['fetch', 'renew'])
    await lease.close()
  })
})
