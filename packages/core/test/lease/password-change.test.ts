import { describe, expect, it } from 'vitest'
import { CredentialNotProvenError, CredentialsUnavailableError, LeaseClosedError } from '../../src/errors.ts'
import type { Credential } from '../../src/lease/credential.ts'
import { credentialFunction } from '../../src/source/credential-function.ts'
import { joined, managersOf, quietConsumer } from '../manager-of.ts'
import { ManualClock } from '../manual-clock.ts'

const second = 1_000
const refusal = new Error('wrong password')

interface Database {
  password: string
  asked: number
  isFull?: boolean
}

/** One user, whose password its databases know, and whoever gives it. */
function steadyUser() {
  const clock = new ManualClock()
  const given = { password: 'first', times: 0 }
  const give = async () => {
    given.times++
    return { username: 'steady', password: given.password }
  }
  const source = credentialFunction(give, clock)
  const join = managersOf({ source, clock, random: () => 0.5, drainTimeoutMs: 300_000 })
  const lease = join()
  /** Nobody takes part in the lease through it. */
  const bare = join()

  const poolAt = (place: string, database: Database = { password: 'first', asked: 0 }) => {
    const prove = async ({ password }: Credential) => {
      database.asked++
      if (database.isFull) return 'full' as const
      if (password !== database.password) throw new CredentialNotProvenError('no', { refused: true })
      return 'accepted' as const
    }
    return { database, pool: joined(lease, { ...quietConsumer(place), prove }) }
  }
  return { clock, given, lease, bare, poolAt }
}

describe('a user whose password the database knows before whoever gives it', () => {
  it('is waited for, by who was refused and by who comes then', async () => {
    const { clock, given, lease, bare, poolAt } = steadyUser()
    const { database, pool } = poolAt('test://db')
    const old = await pool.credential()
    database.password = 'second'
    const refused = pool.refused(old, refusal)
    await clock.advance(1 * second)
    const another = poolAt('test://db', database).pool
    const comes = [pool, another, lease, bare].map((each) => each.credential())
    given.password = 'second'
    await clock.advance(5 * second)
    expect(await refused).toBe(true)
    for (const credential of await Promise.all(comes)) expect(credential.password).toBe('second')
    expect(pool.current?.generation).toBe(old.generation)
  })

  it('is waited for at the very first, too, but only for one more answer of the source', async () => {
    const { clock, given, poolAt } = steadyUser()
    const { pool } = poolAt('test://db', { password: 'second', asked: 0 })
    const first = pool.credential()
    await clock.advance(2_500)
    given.password = 'second'
    await clock.advance(2_500)
    expect((await first).password).toBe('second')

    const wrong = steadyUser()
    const impossible = wrong.poolAt('test://db', { password: 'another', asked: 0 })
    const refused = impossible.pool.credential().catch((error: unknown) => error)
    await wrong.clock.advance(6_500)
    expect(await refused).toBeInstanceOf(CredentialsUnavailableError)
    const { times } = wrong.given
    expect(times).toBeLessThanOrEqual(3)
    await expect(impossible.pool.credential()).rejects.toThrow(CredentialsUnavailableError)
    expect(wrong.given.times).toBe(times)
  })

  it('is not waited for without end', async () => {
    const { clock, database, pool } = await refusedForGood()
    await clock.advance(14 * second)
    const comes = pool.credential().catch((error: unknown) => error)
    await clock.advance(6 * second)
    expect(await comes).toBeInstanceOf(CredentialsUnavailableError)
    const { asked } = database
    await expect(pool.credential()).rejects.toThrow(CredentialsUnavailableError)
    expect(database.asked).toBe(asked)
  })

  it('is not waited for longer than a caller has patience, nor when the lease is closed', async () => {
    const { clock, lease, bare, pool } = await refusedForGood()
    const impatient = pool.credential({ timeoutMs: 2 * second }).catch((error: unknown) => error)
    const others = [pool, lease, bare].map((each) => each.credential().catch((error: unknown) => error))
    await clock.advance(2 * second)
    expect(await impatient).toBeInstanceOf(CredentialsUnavailableError)
    await Promise.all([lease.close(), bare.close(), clock.advance(5 * second)])
    for (const other of others) expect(await other).toBeInstanceOf(LeaseClosedError)
  })

  it('is tried with what was refused once for each answer of the source: some databases lock who fails too often', async () => {
    const { clock, given, database } = await refusedForGood()
    const before = { asked: database.asked, given: given.times }
    await clock.advance(10 * second)
    expect(given.times).toBeGreaterThan(before.given + 2)
    expect(database.asked - before.asked).toBe(given.times - before.given)
  })

  it('is not in force again as it was refused, because there was no room in the pool to try it', async () => {
    const { clock, given, poolAt } = steadyUser()
    const { database, pool } = poolAt('test://db')
    const old = await pool.credential()
    database.password = 'second'
    database.isFull = true
    const refused = pool.refused(old, refusal)
    for (let seconds = 0; seconds < 5; seconds++) {
      await clock.advance(1 * second)
      expect(pool.current).toBeUndefined()
    }
    database.isFull = false
    given.password = 'second'
    await clock.advance(8 * second)
    expect(await refused).toBe(true)
    expect(pool.current?.password).toBe('second')
  })

  it('is in force without being tried when it is another password, and there is no room', async () => {
    const { clock, given, poolAt } = steadyUser()
    const { database, pool } = poolAt('test://db')
    const old = await pool.credential()
    database.password = 'second'
    database.isFull = true
    given.password = 'second'
    const refused = pool.refused(old, refusal)
    await clock.advance(1 * second)
    expect(await refused).toBe(true)
    expect(pool.current?.password).toBe('second')
  })

  it('is found out by a place that never took it, too', async () => {
    const { clock, given, poolAt } = steadyUser()
    const one = poolAt('test://one')
    const old = await one.pool.credential()
    const other = poolAt('test://other')
    for (const { database } of [one, other]) database.password = 'second'
    const refused = other.pool.refused(old, refusal)
    await clock.advance(1 * second)
    given.password = 'second'
    await clock.advance(5 * second)
    expect(await refused).toBe(true)
    expect(one.pool.current?.password).toBe('second')
  })

  it('is waited for where it is refused, when a database joins that still takes the old password', async () => {
    const { clock, given, lease, poolAt } = steadyUser()
    const primary = poolAt('test://primary')
    const old = await primary.pool.credential()
    primary.database.password = 'second'
    const refused = primary.pool.refused(old, refusal)
    await clock.advance(1 * second)
    const standby = poolAt('test://standby')
    expect((await standby.pool.credential()).password).toBe('first')
    const comes = primary.pool.credential()
    given.password = 'second'
    await clock.advance(5 * second)
    expect(await refused).toBe(true)
    expect((await comes).password).toBe('second')
    expect(lease.current?.password).toBe('second')
  })

  it('is asked for again while a database lags behind that still takes the old password', async () => {
    const { clock, given, poolAt } = steadyUser()
    const primary = poolAt('test://primary')
    const standby = poolAt('test://standby')
    const old = await primary.pool.credential()
    standby.pool.accepted(old)
    primary.database.password = 'second'
    const refused = primary.pool.refused(old, refusal)
    await clock.advance(1 * second)
    expect(standby.pool.current).toBe(old)
    given.password = 'second'
    await clock.advance(5 * second)
    expect(await refused).toBe(true)
    expect(primary.pool.current?.password).toBe('second')
  })

  async function refusedForGood() {
    const steady = steadyUser()
    const { database, pool } = steady.poolAt('test://db')
    const old = await pool.credential()
    database.password = 'nobody tells'
    void pool.refused(old, refusal)
    await steady.clock.advance(100)
    return { ...steady, database, pool }
  }
})
