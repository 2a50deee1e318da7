import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Prometheus } from '@vault-lease/testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { dashboardQueries } from './dashboard.ts'
import { type Service, type System, Systems } from './system.ts'

const runMs = 180_000
const nonsense = ['select there_is_no_such_function()']

describe('a Prometheus that watches a healthy system for three minutes, and one with faults', () => {
  const systems = new Systems()
  const load = new AbortController()
  let healthy: System
  let faulty: System
  let prometheus: Prometheus
  let calm: Service
  let ailing: Service
  let brief: Service
  let steady: Service
  let mortal: Service
  let began: number

  beforeAll(async () => {
    ;[healthy, faulty] = await Promise.all([systems.start(), systems.start()])
    const { engine, vault } = faulty
    await engine.role('brief', { ttl: '40s', maxTtl: '40s' })
    await engine.role('steady', { ttl: '15s', maxTtl: '10m' })
    await engine.role('batch', { ttl: '5m', maxTtl: '10m' })
    const policies = ['vault-lease-database']
    const dying = { policies, ttl: '60s', explicit_max_ttl: '60s', renewable: false }
    const { body } = await vault.must('POST', 'auth/token/create', dying)
    calm = await healthy.service()
    ailing = await faulty.service({ PGDATABASE_REPORTS: 'reports' })
    brief = await faulty.service({ VAULT_DB_ROLE: 'brief' })
    steady = await faulty.service({ VAULT_DB_ROLE: 'steady' })
    mortal = await faulty.service({ VAULT_TOKEN: body.auth.client_token })
    prometheus = await systems.watch()
    began = Date.now()
    for (const { address } of [calm, ailing]) void visit(address)
  })
  afterAll(async () => {
    load.abort()
    await systems.stop()
  })

  async function visit(address: string): Promise<void> {
    while (!load.signal.aborted) {
      await fetch(`${address}/users`).catch(() => {})
      await sleep(50)
    }
  }

  /** Resolves when the alert fires for what the labels say. */
  async function fires(alertname: string, labels: Readonly<Record<string, string>>): Promise<void> {
    const all = Object.entries({ alertname, alertstate: 'firing', ...labels })
    const selector = all.map(([name, value]) => `${name}="${value}"`).join(', ')
    await vi.waitFor(
      async () => expect(await prometheus.query(`ALERTS{${selector}}`), alertname).not.toEqual([]),
      {
        timeout: 90_000,
        interval: 500,
      },
    )
  }

  it('each alert fires on its fault', async () => {
    const { engine, vault, database, instance } = faulty
    const post = (path: string): Promise<Response> => fetch(`${ailing.address}${path}`, { method: 'POST' })

    /** Resolves with the way back. */
    const rejectAtReports = async (): Promise<() => Promise<void>> => {
      const [{ hba_file: file } = { hba_file: '' }] = await database.query<{ hba_file: string }>(
        'show hba_file',
      )
      const before = readFileSync(file, 'utf8')
      const write = async (text: string): Promise<void> => {
        writeFileSync(file, text)
        await database.query('select pg_reload_conf()')
      }
      await write(`host reports all all reject\n${before}`)
      return () => write(before)
    }

    const pools = async (): Promise<void> => {
      void fetch(`${ailing.address}/slow?seconds=30`).catch(() => {})
      await sleep(500)
      await post('/rotate')
      await fires('VaultLeaseStragglers', { instance: ailing.instance })

      await engine.revokePrefix('app')
      await fires('VaultLeaseRevokedElsewhere', { instance: ailing.instance })

      await fetch(`${ailing.address}/reports`)
      const shutOut = await rejectAtReports()
      await database.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = 'reports'")
      await sleep(500)
      await fetch(`${ailing.address}/reports`)
      await fires('VaultLeasePoolRefused', { instance: ailing.instance })
      await shutOut()

      await vault.must('POST', 'database/roles/app', {
        db_name: 'postgresql',
        revocation_statements: nonsense,
      })
      await post('/rotate')
      await fires('VaultLeaseLeftBehind', { instance: ailing.instance })
      await fires('VaultDatabaseUsersNotDropped', { instance })
      await engine.role('app', { ttl: '12s', maxTtl: '36s' })
    }

    const rotations = async (): Promise<void> => {
      await engine.role('brief', { ttl: '40s', maxTtl: '40s', creationStatements: nonsense })
      await fires('VaultDatabaseUsersNotMade', { instance })
      await fires('VaultLeaseRotationFailing', { instance: brief.instance })
      await fires('VaultLeaseCredentialDying', { instance: brief.instance })
      await fires('VaultLeaseNoCredential', { instance: brief.instance })
    }

    const server = async (): Promise<void> => {
      for (let count = 0; count < 150; count++) await vault.must('GET', 'database/creds/batch')
      await fires('VaultDatabaseUsersGrow', { instance })
      const quota = { path: 'database/creds/batch', rate: 1, interval: '60s' }
      await vault.must('POST', 'sys/quotas/rate-limit/batch', quota)
      for (let count = 0; count < 3; count++) await vault.call('GET', 'database/creds/batch')
      await fires('VaultRateLimited', { instance })
    }

    const token = async (): Promise<void> => fires('VaultLeaseTokenDying', { instance: mortal.instance })

    await Promise.all([pools(), rotations(), server(), token()])

    await vault.seal()
    await Promise.all([
      fires('VaultSealed', { instance }),
      fires('VaultNoActiveNode', {}),
      fires('VaultLeaseRenewalFailing', { instance: steady.instance }),
      fires('VaultLeaseCircuitOpen', { instance: steady.instance }),
    ])
    await vault.unseal()

    renameSync(faulty.auditFolder, `${faulty.auditFolder}.away`)
    writeFileSync(faulty.auditFolder, '')
    vault.reload()
    await vi.waitUntil(async () => (await vault.call('GET', 'sys/mounts')).status === 500, 10_000)
    await fires('VaultAuditFailing', { instance })
    rmSync(faulty.auditFolder)
    renameSync(`${faulty.auditFolder}.away`, faulty.auditFolder)

    await vault.kill()
    await fires('VaultDown', { instance })
  }, 400_000)

  it('none fires on what is healthy', async () => {
    await sleep(Math.max(0, began + runMs - Date.now()))
    const range = { seconds: (Date.now() - began) / 1_000, step: 1 }
    const instances = `${calm.instance}|${healthy.instance}`
    expect(await prometheus.query(`ALERTS{alertstate="firing", instance=~"${instances}"}`, range)).toEqual([])
    const [up] = await prometheus.query(`min_over_time(up{instance="${calm.instance}"}[180s])`)
    expect(up?.value?.[1]).toBe('1')
    const [rotated] = await prometheus.query(`vault_lease_generation{instance="${calm.instance}"}`)
    expect(Number(rotated?.value?.[1])).toBeGreaterThan(3)
  }, 240_000)

  it.each(dashboardQueries())('the dashboard has data to show: $panel, $promql', async ({ promql }) => {
    const series = await prometheus.query(promql, { seconds: 240, step: 5 })
    const values = series.flatMap((each) => each.values ?? []).map(([, value]) => Number(value))
    expect(values.filter((value) => Number.isFinite(value)).length).toBeGreaterThan(0)
  })
})
