import { describe, expect, it } from 'vitest'
import { CredentialNotProvenError, InvalidOptionError } from '../../src/errors.ts'
import { healthOf } from '../../src/health/health.ts'
import { leadToLease } from '../../src/health/way-to-lease.ts'
import type { LeaseManager } from '../../src/lease/manager.ts'
import { VaultError } from '../../src/vault/errors.ts'
import { joined, managerOf, managersOf, quietConsumer, refuse } from '../manager-of.ts'
import { ManualClock } from '../manual-clock.ts'
import { ScriptedSource } from '../scripted-source.ts'
import { shown } from '../secrets.ts'

const second = 1_000
const down = new VaultError('Vault is not there.', { code: 'ERR_VAULT_UNREACHABLE', retryable: true })

const notProven = (message: string): Error => new CredentialNotProvenError(message, { refused: true })

function setUp() {
  const clock = new ManualClock()
  const source = new ScriptedSource(clock)
  const lease = managerOf({ source, clock, random: () => 0.5, drainTimeoutMs: 300 * second })
  return { clock, source, lease }
}

/** What is told, in short. */
function shortOf(...pools: object[]) {
  const { live, ready, reasons } = healthOf(...pools)
  return { live, ready, reasons: reasons.map(({ level, code }) => `${level} ${code}`) }
}

describe('healthOf', () => {
  it('asks nobody for anything', () => {
    const { source, lease, clock } = setUp()
    expect(shortOf(lease)).toEqual({ live: true, ready: false, reasons: ['failure starting'] })
    expect(healthOf(lease).reasons[0]?.message).toContain('await lease.ready()')
    expect([source.calls, clock.scheduled]).toEqual([[], 0])
  })

  it('has nothing to say of a lease in force, whether one gives it or the pool above it', async () => {
    const { lease } = setUp()
    await lease.ready()
    for (const pool of [lease, { lease }, Object.assign(() => {}, { lease })])
      expect(shortOf(pool)).toEqual({ live: true, ready: true, reasons: [] })
    expect(healthOf(lease).leases).toEqual([lease.status()])
  })

  it('warns from the first attempt that failed to the end of the credential, and then is not ready, but live', async () => {
    const { clock, source, lease } = setUp()
    await lease.ready()
    source.fault = down
    await clock.advance(41 * second)
    expect(shortOf(lease)).toEqual({ live: true, ready: true, reasons: ['warning not-replaced'] })
    const [warning] = healthOf(lease).reasons
    expect(warning?.message).toMatch(
      /^The credential dies in 19 s and could not be renewed or replaced \d times\. Vault is not there\.$/,
    )
    await clock.advance(20 * second)
    expect(shortOf(lease)).toEqual({ live: true, ready: false, reasons: ['failure no-credential'] })
    source.fault = undefined
    await clock.advance(10 * second)
    expect(shortOf(lease)).toEqual({ live: true, ready: true, reasons: [] })
  })

  it('is not ready without a first credential', async () => {
    const { source, lease } = setUp()
    source.fault = down
    await lease.ready().catch(() => {})
    expect(healthOf(lease)).toMatchObject({
      ready: false,
      reasons: [
        {
          source: 'database/creds/app',
          code: 'no-credential',
          message: 'There is no credential that may be used. Vault is not there.',
        },
      ],
    })
  })

  it('warns that the token cannot be renewed', async () => {
    const { clock, source, lease } = setUp()
    source.ttl = 3_600 * second
    source.token = { issuedAt: 0, end: 600 * second, renewable: true, replaceable: false } as never
    await lease.ready()
    source.fault = down
    source.faultAt = 'renew-token'
    await clock.advance(450 * second)
    expect(shortOf(lease)).toEqual({ live: true, ready: true, reasons: ['warning token-not-renewed'] })
    expect(healthOf(lease).reasons[0]?.message).toMatch(/^Vault's token dies in 150 s, and the credential/)
  })

  it('warns where one of the databases refuses, and is not ready where the only one does', async () => {
    const clock = new ManualClock()
    const parts = {
      source: new ScriptedSource(clock),
      clock,
      random: () => 0.5,
      drainTimeoutMs: 300 * second,
    }
    const newManager = managersOf(parts)
    const [both, alone] = [newManager(), newManager()]
    const refusing = quietConsumer('test://refusing')
    joined(both, quietConsumer('test://good'))
    const pools = [joined(both, refusing), joined(alone, refusing)]
    await both.ready()
    refusing.prove = () => Promise.reject(notProven('no such user'))
    for (const pool of pools) await refuse(pool)

    const reason = {
      code: 'refused',
      message: expect.stringMatching(/^The database at test:\/\/refusing refuses/),
    }
    expect(healthOf(both)).toMatchObject({ ready: true, reasons: [{ level: 'warning', ...reason }] })
    expect(healthOf(alone)).toMatchObject({
      live: true,
      ready: false,
      reasons: [{ level: 'failure', ...reason }],
    })
  })

  it('is not ready when one of several is not', async () => {
    const [one, other] = [setUp(), setUp()]
    await one.lease.ready()
    expect(shortOf(one.lease, other.lease)).toMatchObject({ ready: false, reasons: ['failure starting'] })
  })

  it('is not ready while it closes, and not live when it was closed and the process goes on', async () => {
    const { clock, lease } = setUp()
    const slow = quietConsumer()
    slow.retire = () => new Promise(() => {})
    joined(lease, slow)
    await lease.ready()
    const closed = lease.close()
    await clock.advance(second)
    expect(shortOf(lease)).toEqual({ live: true, ready: false, reasons: ['failure closing'] })
    await clock.advance(20 * second)
    await closed
    expect(shortOf(lease)).toEqual({ live: false, ready: false, reasons: ['failure closed'] })
  })

  it('tells no secret', async () => {
    const { clock, source, lease } = setUp()
    await lease.ready()
    source.fault = down
    await clock.advance(41 * second)
    expect(shown(healthOf(lease))).not.toContain('secret-1')
  })

  it('finds a lease where an adapter says that it is, from when on it is there, and again after a close', async () => {
    const pool = {}
    let lease: LeaseManager | undefined
    leadToLease(pool, () => lease)
    const starting = { live: true, ready: false, reasons: ['failure starting'] }
    expect(shortOf(pool)).toEqual(starting)
    expect(healthOf(pool).reasons[0]?.source).toBe('pool 1')
    lease = setUp().lease
    await lease.ready()
    expect(shortOf(pool)).toEqual({ live: true, ready: true, reasons: [] })
    await lease.close()
    expect(shortOf(pool)).toEqual(starting)
  })

  it.each([[], [undefined], [{}], [{ lease: {} }], [{ client: {} }], ['pool']])(
    'finds no lease in %j',
    (...pools) => {
      expect(() => healthOf(...(pools as never[]))).toThrow(InvalidOptionError)
    },
  )
})
