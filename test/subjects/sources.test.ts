import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { GivenCredential, LeaseManager } from '@vault-lease/core'
import { hammer } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../leased-servers.ts'
import { leasedSubject, type SubjectName, subjectNames, subjects } from './index.ts'
import { newPassword, type StaticLogin, staticUser } from './static-user.ts'
import { schemas } from './subject.ts'

const steady: StaticLogin = { user: 'steady', password: 'before-vault-knew-it' }
const rendered: StaticLogin[] = [1, 2].map((n) => ({ user: `rendered_${n}`, password: `secret-of-${n}` }))

const early = (name: SubjectName): StaticLogin => ({
  user: `early_${name.replaceAll('-', '_')}`,
  password: 'before-anybody-knew-it',
})

describe.each(['postgresql', 'mysql', 'mongodb', 'redis'] as const)('adapters of %s', (kind) => {
  const names = subjectNames.filter((name) => subjects[name].database === kind)
  let servers: LeasedServers
  const folder = mkdtempSync(join(tmpdir(), 'vault-lease-sources-'))

  beforeAll(async () => {
    const users = [steady, ...rendered, ...names.map(early)].flatMap((login) => staticUser(kind, login))
    servers = await startLeasedServers({ kind, schema: [...schemas[kind], ...users] })
    await servers.engine.staticRole('steady', { username: steady.user, rotationPeriod: '5s' })
  })
  afterAll(async () => {
    await servers?.endAll()
    await servers?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  const open = async (name: SubjectName, lease: LeaseManager) => {
    const { database: server } = servers
    const place = { server, max: 2, acquireTimeoutMs: 15_000, users: server }
    const subject = await leasedSubject(name, place, { lease })
    return servers.closing(subject, () => subject.close())
  }

  it.concurrent.each(names)('%s goes on while Vault changes the password of a static role', async (name) => {
    const lease = await servers.lease({ role: undefined, staticRole: 'steady' })
    const passwords = new Set<string | undefined>()
    let afterwards = 0
    const report = await hammer({
      run: await open(name, lease),
      workers: 2,
      thinkMs: 10,
      // Vault looks every 5 s for passwords that are due, so that one may live for 10 s.
      until: vi.waitUntil(() => afterwards >= 50, { timeout: 30_000 }),
      onResult() {
        passwords.add(lease.current?.password)
        if (passwords.size > 1) afterwards++
      },
    })
    expect(report.firstErrors).toEqual({})
  })

  it.concurrent.each(names)(
    '%s waits for a password that the database knows before whoever gives it',
    async (name) => {
      const login = early(name)
      let known: GivenCredential = { username: login.user, password: login.password }
      const credential = async () => known
      const lease = await servers.lease({ role: undefined, vault: undefined, credential })
      const subject = await open(name, lease)
      // The pool has to open another connection beside it, and has no password that would.
      const held = await subject.openTransaction()
      await held.step()
      const password = 'known-to-the-database-first'
      await servers.database.query(newPassword(kind, { ...login, password }))
      const told = sleep(2_000).then(() => {
        known = { ...known, password }
      })
      // A transaction of MongoDB that writes what another one has written fails.
      const mix = { query: 9, transaction: 0, stream: 1 }
      const report = await hammer({ run: subject, workers: 4, mix, thinkMs: 10, until: told })
      expect(report.firstErrors).toEqual({})
      await vi.waitUntil(() => lease.current?.password === password, { timeout: 15_000 })
      await held.step()
      await held.finish()
    },
  )

  it.concurrent.each(names)('%s goes on while the user in a file is replaced', async (name) => {
    const path = join(folder, `${name}.env`)
    const render = ({ user, password }: StaticLogin) => {
      writeFileSync(`${path}.new`, `export DB_USERNAME="${user}"\nexport DB_PASSWORD="${password}"\n`)
      renameSync(`${path}.new`, path)
    }
    const [first, second] = rendered as [StaticLogin, StaticLogin]
    render(first)
    const lease = await servers.lease({ role: undefined, vault: undefined, credentialFile: path })
    const subject = await open(name, lease)
    const replaced = sleep(500).then(async () => {
      const held = await subject.openTransaction()
      expect(await held.step()).toContain(first.user)
      render(second)
      await vi.waitUntil(() => lease.generation === 2, { timeout: 10_000 })
      await held.step()
      await held.finish()
      await sleep(500)
    })
    const report = await hammer({ run: subject, workers: 2, thinkMs: 10, until: replaced })
    await replaced
    expect(report.firstErrors).toEqual({})
    const after = await subject.openTransaction()
    expect(await after.step()).toContain(second.user)
    await after.finish()
  })
})
