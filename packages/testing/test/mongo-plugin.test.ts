import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ServerUnavailableError } from '@vault-lease/testing'
import { afterEach, expect, it, vi } from 'vitest'
import { providePlugin } from '../src/mongo/plugin.ts'

afterEach(() => vi.unstubAllEnvs())

it('the plugin for MongoDB cannot be had without go, which is said, and nothing is left of the attempt', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'plugin-'))
  vi.stubEnv('VAULT_LEASE_CACHE', folder)
  vi.stubEnv('PATH', folder)
  const answer = async (): Promise<{ status: number; body: unknown }> => ({ status: 404, body: {} })
  const failed = providePlugin({ call: answer, must: answer }, 'mongodb-database-plugin')
  await expect(failed).rejects.toThrow(ServerUnavailableError)
  await expect(failed).rejects.toThrow(/could not be had: .* built with go.* spawn go ENOENT/)
  expect(readdirSync(join(folder, 'vault-plugins'))).toEqual([])
  rmSync(folder, { recursive: true })
})
