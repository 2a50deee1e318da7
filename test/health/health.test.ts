import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Health, healthHandler, healthOf, VaultPool } from '@vault-lease/pg'
import { openFaultProxy } from '@vault-lease/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type LeasedServers, startLeasedServers } from '../leased-servers.ts'

/** What a probe is answered, and in how many milliseconds. */
async function probe(address: string) {
  const asked = performance.now()
  const response = await fetch(address)
  const { live, ready, reasons } = (await response.json()) as Health
  const codes = reasons.map(({ code }) => code)
  return { status: response.status, live, ready, codes, ms: performance.now() - asked }
}

describe('the health of an application on real servers', () => {
  let servers: LeasedServers
  beforeAll(async () => {
    servers = await startLeasedServers({ kind: 'postgresql' })
  })
  afterEach(() => servers.endAll())
  afterAll(() => servers?.stop())

  it.each([
    // A request that hangs is given up after 2 s.
    { kind: 'cut', ttl: '6s' },
    { kind: 'hang', ttl: '16s' },
  ] as const)(
    'warns while the way to Vault is $kind and the credential lives, is not ready when it has died, and comes back',
    async ({ kind, ttl }) => {
      const { engine, vault, place, role, closing } = servers
      await engine.role(role, { ttl, maxTtl: '1h' })
      const { hostname, port } = new URL(vault.address)
      const way = closing(await openFaultProxy({ host: hostname, port: Number(port) }), (way) =>
        way[Symbol.asyncDispose](),
      )
      const access = { ...(await servers.vaultOptions()), address: `http://${way.host}:${way.port}` }
      const pool = closing(new VaultPool({ ...place, role, vault: access }), (pool) => pool.end())
      const server = closing(createServer(healthHandler(pool)).listen(0, '127.0.0.1'), (server) =>
        server.close(),
      )
      await once(server, 'listening')
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      expect(await probe(`${address}/ready`)).toMatchObject({ status: 503, codes: ['starting'] })
      await pool.query('select 1')
      expect(await probe(`${address}/ready`)).toMatchObject({ status: 200, ready: true, codes: [] })

      way.set({ kind })
      const slowest = { ms: 0 }
      const answers = async (path: string) => {
        const answer = await probe(address + path)
        slowest.ms = Math.max(slowest.ms, answer.ms)
        return answer
      }
      const soon = { timeout: 25_000, interval: 50 }
      await vi.waitFor(async () => {
        const { status, codes } = await answers('/ready')
        expect([status, codes.includes('not-replaced')]).toEqual([200, true])
      }, soon)
      const [warning] = healthOf(pool).reasons
      expect(warning?.message).toMatch(/^The credential dies in \d s and could not be renewed or replaced/)
      await vi.waitFor(
        async () => expect(await answers('/ready')).toMatchObject({ status: 503, codes: ['no-credential'] }),
        soon,
      )
      expect(await answers('/live')).toMatchObject({ status: 200, live: true, ready: false })
      expect(slowest.ms).toBeLessThan(250)

      way.set({ kind: 'none' })
      await vi.waitFor(async () => expect(await answers('/ready')).toMatchObject({ status: 200 }), soon)
    },
  )

  it('is not ready from SIGTERM on, while a query is still answered, and stays live', async () => {
    const program = fileURLToPath(new URL('application.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=@vault-lease/source', program], {
      env: await servers.environment(),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    servers.closing(child, () => child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    const ended = once(child, 'exit')
    const { value: address } = await lines.next()
    expect(await probe(`${address}/ready`)).toMatchObject({ status: 200, ready: true })
    child.kill('SIGTERM')
    await vi.waitFor(async () => expect(await probe(`${address}/ready`)).toMatchObject({ status: 503 }), {
      timeout: 1_000,
      interval: 5,
    })
    const { codes } = await probe(`${address}/ready`)
    expect(codes[0]).toBe('stopping')
    expect(await probe(`${address}/live`)).toMatchObject({ status: 200, live: true })
    expect(await lines.next()).toMatchObject({ value: 'true' })
    expect(await ended).toEqual([143, null])
  })
})
