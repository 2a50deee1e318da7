import { ServerUnavailableError } from '@vault-lease/testing'
import { afterEach, expect, it, vi } from 'vitest'
import { missing } from './unless-missing.ts'

afterEach(() => vi.unstubAllEnvs())

const unavailable = (): Promise<never> => Promise.reject(new ServerUnavailableError('apt-get install it'))

it('what a machine lacks is a reason to skip, and a failure in CI', async () => {
  vi.stubEnv('CI', '')
  expect(await missing(unavailable)).toBe('apt-get install it')
  expect(await missing(async () => 'is there')).toBeUndefined()
  await expect(missing(() => Promise.reject(new TypeError('a defect')))).rejects.toThrow(TypeError)
  vi.stubEnv('CI', 'true')
  await expect(missing(unavailable)).rejects.toThrow(ServerUnavailableError)
})
