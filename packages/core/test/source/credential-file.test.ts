import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { LeaseManager } from '../../src/lease/manager.ts'
import { rejection, secretsIn } from '../secrets.ts'
import { leaseOf } from '../servers.ts'

const shell = (n: number): string => `export DB_USERNAME="user-${n}"\nexport DB_PASSWORD="secret-${n}"\n`

describe('a file that somebody else renders', () => {
  let folder: string
  let path: string
  let lease: LeaseManager

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'vault-lease-file-'))
    path = join(folder, 'db.env')
  })
  afterEach(async () => {
    await lease?.close()
    rmSync(folder, { recursive: true })
  })

  function open(): LeaseManager {
    lease = leaseOf({ role: undefined, credentialFile: path })
    return lease
  }

  const until = (n: number) =>
    vi.waitUntil(() => lease.current?.username === `user-${n}`, { timeout: 3_000, interval: 5 })

  it('is read, and read again when it is replaced, or written anew in place', async () => {
    writeFileSync(path, shell(1))
    await open().ready()
    expect(lease.current).toMatchObject({ username: 'user-1', password: 'secret-1' })
    expect(lease.status()).toMatchObject({ source: `the file ${path}`, circuit: undefined })
    writeFileSync(`${path}.new`, shell(2))
    renameSync(`${path}.new`, path)
    await until(2)
    writeFileSync(path, JSON.stringify({ username: 'user-3', password: 'secret-3' }))
    await until(3)
    expect(lease.generation).toBe(3)
  })

  it('behind the link that Kubernetes swaps is noticed too', async () => {
    for (const n of [1, 2]) {
      mkdirSync(join(folder, `..${n}`))
      writeFileSync(join(folder, `..${n}`, 'db.env'), shell(n))
    }
    symlinkSync('..1', join(folder, '..data'))
    symlinkSync('..data/db.env', path)
    await open().ready()
    symlinkSync('..2', join(folder, '..data.new'))
    renameSync(join(folder, '..data.new'), join(folder, '..data'))
    await until(2)
  })

  it('that is half written is not used, and makes no noise in a folder where much happens', async () => {
    writeFileSync(path, shell(1))
    await open().ready()
    const failed: unknown[] = []
    lease.on('failed', (event) => void failed.push(event))
    const whole = 'DB_USERNAME=user-2\nDB_PASSWORD=secret-2-and-more'
    writeFileSync(path, '')
    for (const letter of whole) {
      appendFileSync(path, letter)
      await sleep(10)
      if (lease.current?.username !== 'user-1') expect(lease.current?.password).toBe('secret-2-and-more')
    }
    await until(2)
    expect(lease.current?.password).toBe('secret-2-and-more')
    expect(lease.generation).toBe(2)
  })

  it('that comes late is waited for, and taken as soon as it is there', async () => {
    const error = await rejection(open().ready())
    expect(error).toMatchObject({
      cause: { code: 'ERR_CREDENTIAL_SOURCE' },
      message: expect.stringContaining(path),
    })
    await sleep(600)
    writeFileSync(path, shell(1))
    await until(1)
  })

  it('that holds nothing of use is an error without what it holds; what was in force stays', async () => {
    writeFileSync(path, shell(1))
    await open().ready()
    const failed: unknown[] = []
    lease.on('failed', (event) => void failed.push(event))
    writeFileSync(path, 'DB_PASSWORD="secret-only"\n')
    await vi.waitUntil(() => failed.length > 0, { timeout: 3_000 })
    expect(secretsIn(failed, ['secret-only'])).toEqual([])
    expect(lease.status()).toMatchObject({ state: 'degraded' })
    expect(lease.current).toMatchObject({ username: 'user-1' })
    writeFileSync(path, shell(2))
    await until(2)
  })

  it.each(['/dev/zero', 'long'])('that has no end, as %s, is not read to its end', async (name) => {
    if (name === 'long') writeFileSync(path, `${shell(1)}\n#${' '.repeat(2 * 1024 * 1024)}`)
    else symlinkSync(name, path)
    const error = await rejection(open().ready())
    expect(error).toMatchObject({ cause: { cause: { message: 'it is longer than 1 MiB' } } })
  })

  it('is one for all who read it, and closing leaves no watcher', async () => {
    writeFileSync(path, shell(1))
    await open().ready()
    await lease.close()
    const watching = process.getActiveResourcesInfo().filter((name) => name.startsWith('FSEvent'))
    expect(watching).toEqual([])
  })
})
