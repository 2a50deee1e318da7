import { createHash } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startPostgres } from '@vault-lease/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cacheFolder } from '../src/cache.ts'
import { contentHash } from '../src/content-hash.ts'
import { printedBy, runChild } from './child.ts'

const rightHash = `sha256-${createHash('sha256').update('content').digest('base64')}`

describe('downloads', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'downloads-'))
  })
  afterEach(() => {
    vi.unstubAllEnvs()
    vi.restoreAllMocks()
    rmSync(folder, { recursive: true, force: true })
  })
  const environment = (HASH: string): NodeJS.ProcessEnv => {
    const unpacked = join(folder, 'unpacked')
    mkdirSync(unpacked)
    writeFileSync(join(unpacked, 'file'), 'unpacked')
    const CONTENT_HASH = contentHash(unpacked)
    rmSync(unpacked, { recursive: true })
    return { HASH, CONTENT_HASH, VAULT_LEASE_CACHE: folder, COUNT_FILE: join(folder, 'count') }
  }
  const download = (HASH: string): Promise<unknown> => printedBy(runChild('downloads.ts', environment(HASH)))
  const downloads = (): number => readFileSync(join(folder, 'count'), 'utf8').length

  it('two processes at the same moment download once', async () => {
    const [one, other] = await Promise.all([download(rightHash), download(rightHash)])
    expect(one).toBe(other)
    expect(readFileSync(join(String(one), 'file'), 'utf8')).toBe('unpacked')
    expect(downloads()).toBe(1)
    expect(readdirSync(folder)).toHaveLength(2)
  })

  it('does not wait for a process that died while it downloaded', async () => {
    const dead = runChild('downloads.ts', environment(rightHash))
    const target = String(await printedBy(dead))
    rmSync(target, { recursive: true })
    symlinkSync(String(dead.pid), `${target}.lock`)
    expect(await download(rightHash)).toBe(target)
    expect(downloads()).toBe(2)
  })

  it('refuses an archive with another hash, and leaves nothing of it', async () => {
    expect(await download(`sha256-${'A'.repeat(43)}=`)).toContain('has another hash than the pinned one')
    expect(readdirSync(folder)).toEqual(['count'])
  })

  it.each<[string, (target: string) => void]>([
    ['another content', (target) => writeFileSync(join(target, 'file'), 'planted!')],
    ['one file more', (target) => writeFileSync(join(target, 'more'), '')],
    [
      'a link in place of a file',
      (target) => {
        rmSync(join(target, 'file'))
        symlinkSync('unpacked', join(target, 'file'))
      },
    ],
  ])('refuses what has %s since, also where nobody downloads', async (_what, plant) => {
    plant(String(await download(rightHash)))
    expect(await download(rightHash)).toContain('is not what was downloaded')
    expect(downloads()).toBe(1)
  })

  it('is kept in this workspace, whatever stands above the working folder', () => {
    vi.stubEnv('VAULT_LEASE_CACHE', undefined)
    writeFileSync(join(folder, 'pnpm-workspace.yaml'), '')
    vi.spyOn(process, 'cwd').mockReturnValue(join(folder, 'project'))
    const root = fileURLToPath(new URL('../../../', import.meta.url))
    expect(cacheFolder()).toBe(join(root, '.cache', 'vault-lease'))
  })

  it('PostgreSQL 18 starts from a download, as root too', async () => {
    vi.stubEnv('VAULT_LEASE_TEST_PREFER', 'download')
    await using postgres = await startPostgres()
    const [row] = await postgres.query<{ server_version: string }>('show server_version')
    expect(row?.server_version).toMatch(/^18\./)
    expect(readdirSync(cacheFolder()).filter((name) => name.startsWith('postgresql-'))).toHaveLength(1)
  })
})
