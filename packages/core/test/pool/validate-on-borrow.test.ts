import { describe, expect, it, vi } from 'vitest'
import { ConnectionRetiredError, CredentialsUnavailableError } from '../../src/errors.ts'
import { Credential } from '../../src/lease/credential.ts'
import { type BorrowedConnections, ValidateOnBorrow } from '../../src/pool/validate-on-borrow.ts'
import { ManualClock } from '../manual-clock.ts'

const refused = new Error('refused')
const one = new Credential(1, 'v-1', 'secret')

/** The connections of a pool, on a lease whose credential a test takes away. */
function setUp(connections: Partial<BorrowedConnections> = {}, patienceMs?: number) {
  const clock = new ManualClock()
  const credential = vi.fn<BorrowedConnections['attachment']['credential']>(async () => {
    if (!attachment.current) throw new CredentialsUnavailableError('none now')
    return attachment.current
  })
  const attachment: {
    current: Credential | undefined
    readonly generation: number
    credential: typeof credential
  } = {
    current: one,
    get generation() {
      return attachment.current?.generation ?? 0
    },
    credential,
  }
  const pool = new ValidateOnBorrow(
    { attachment, whenRoom: () => undefined, worthConnectingAgain: async () => false, ...connections },
    () => patienceMs,
    clock,
  )
  const waits = (): unknown[] => credential.mock.calls.map(([wait]) => wait?.timeoutMs)
  return { clock, attachment, pool, waits }
}

describe('a pool that validates on borrow', () => {
  describe('opens a connection', () => {
    it('once there is a credential, and room', async () => {
      const steps: string[] = []
      const whenRoom = vi.fn<BorrowedConnections['whenRoom']>(() => undefined)
      whenRoom.mockImplementationOnce(async () => {
        steps.push('room')
      })
      const { attachment, pool } = setUp({ whenRoom })
      attachment.credential.mockImplementation(async () => {
        steps.push('credential')
        return one
      })
      expect(await pool.open(async () => steps.push('connect'))).toBe(3)
      expect(steps).toEqual(['credential', 'room', 'connect'])
    })

    it('looks for room again when it had to wait: another may have taken it', async () => {
      const whenRoom = vi.fn<BorrowedConnections['whenRoom']>(() => undefined)
      for (let n = 0; n < 2; n++) whenRoom.mockImplementationOnce(() => Promise.resolve())
      const { pool } = setUp({ whenRoom })
      expect(await pool.open(async () => whenRoom.mock.calls.length)).toBe(3)
    })

    it('not at all while there is no credential', async () => {
      const { attachment, pool } = setUp()
      attachment.current = undefined
      const connect = vi.fn()
      await expect(pool.open(connect)).rejects.toThrow('none now')
      expect(connect).not.toHaveBeenCalled()
    })

    it.each([
      ['retired', new ConnectionRetiredError('over')],
      ['left without a credential', new CredentialsUnavailableError('none now')],
    ])('again each time that one was %s before anybody could use it', async (_how, error) => {
      const { pool } = setUp()
      const connect = vi.fn(async () => 3).mockRejectedValueOnce(error)
      connect.mockRejectedValueOnce(error)
      expect(await pool.open(connect)).toBe(3)
    })

    it('once more when the server refused the credential and there is another', async () => {
      const { pool } = setUp({ worthConnectingAgain: async (error) => error === refused })
      const connect = vi.fn(async () => Promise.reject(refused))
      await expect(pool.open(connect)).rejects.toBe(refused)
      expect(connect).toHaveBeenCalledTimes(2)
    })

    it('not again after an error that another credential does not mend', async () => {
      const { pool } = setUp()
      const connect = vi.fn(async () => Promise.reject(refused))
      await expect(pool.open(connect)).rejects.toBe(refused)
      expect(connect).toHaveBeenCalledOnce()
    })

    it('with one patience for everything that has to be waited for', async () => {
      const worth = vi.fn<BorrowedConnections['worthConnectingAgain']>(async () => true)
      const { clock, pool, waits } = setUp({ worthConnectingAgain: worth }, 100)
      const connect = vi
        .fn(async () => 3)
        .mockImplementationOnce(async () => {
          clock.jump(60)
          throw refused
        })
      await pool.open(connect)
      expect(worth).toHaveBeenCalledExactlyOnceWith(refused, { timeoutMs: 40 })
      expect(waits()).toEqual([100, 40])
    })
  })

  describe('lends a connection', () => {
    it('at once while there is a credential', async () => {
      const { attachment, pool } = setUp()
      expect(pool.mayLend()).toBe(true)
      expect(await pool.lend(async () => 1)).toBe(1)
      expect(attachment.credential).not.toHaveBeenCalled()
    })

    it('to nobody while there is none', async () => {
      const { attachment, pool } = setUp()
      attachment.current = undefined
      const take = vi.fn()
      await expect(pool.lend(take)).rejects.toThrow('none now')
      expect(take).not.toHaveBeenCalled()
      expect(await pool.mayLend()).toBe(false)
    })

    it('once there is one again, when it has gone meanwhile', async () => {
      const { attachment, pool, waits } = setUp({}, 100)
      attachment.current = undefined
      attachment.credential.mockImplementationOnce(async () => one)
      expect(await pool.mayLend()).toBe(true)
      expect(waits()).toEqual([100])
    })
  })
})
