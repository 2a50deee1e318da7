import { CredentialsUnavailableError } from '@vault-lease/core'
import { describe, expect, it } from 'vitest'
import { connectAgain } from '../src/connect-again.ts'

const away = new Error('the server is away')

function failing(error: Error) {
  const tries = { count: 0 }
  const connect = async (): Promise<never> => {
    tries.count++
    throw error
  }
  return { tries, connect }
}

describe('connecting again', () => {
  it('ends with the driver’s error when the time is over', async () => {
    const { tries, connect } = failing(away)
    const { signal } = new AbortController()
    await expect(connectAgain(connect, { forMs: 700, signal })).rejects.toBe(away)
    expect(tries.count).toBe(2)
  })

  it('ends with the driver’s error, and at once, when it is given up', async () => {
    const { tries, connect } = failing(away)
    const givingUp = new AbortController()
    const asked = connectAgain(connect, { forMs: 60_000, signal: givingUp.signal })
    givingUp.abort(new Error('the reason'))
    await expect(asked).rejects.toBe(away)
    expect(tries.count).toBe(1)
  })

  it.each([
    ['a user that is refused', Object.assign(new Error('denied'), { errno: 1045 })],
    ['no credential', new CredentialsUnavailableError('none')],
  ])('is not done for %s', async (_what, error) => {
    const { tries, connect } = failing(error)
    const { signal } = new AbortController()
    await expect(connectAgain(connect, { forMs: 60_000, signal })).rejects.toBe(error)
    expect(tries.count).toBe(1)
  })
})
