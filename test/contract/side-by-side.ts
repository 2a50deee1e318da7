import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { openFaultProxy } from '@vault-lease/testing'
import { describe, expect, it } from 'vitest'
import type { SubjectName } from '../subjects/index.ts'
import { leakOfDebugged } from './secrets.ts'
import { type Stage, untilRetired } from './stage.ts'
import type { World } from './world.ts'

/** Of `killed.ts`: its time to drain, and what is added so that the revocation comes before the end. */
const longestDrainSeconds = 10

/** What waits most of its time, each test with a role of its own. */
export function sideBySide(stage: Stage, name: SubjectName): void {
  describe.concurrent('side by side', () => {
    it('rotates by itself, by TTL and max TTL', async () => {
      const role = 'itself'
      const lease = await stage.world.lease('10s', '20s', { role })
      let renewed = 0
      lease.on('renewed', () => {
        renewed++
      })
      const subject = await stage.subjectOn({ lease })
      const report = await stage.underLoad(subject, async () => {
        while (lease.status().generation < 2) await sleep(100)
        await untilRetired(lease)
      })
      expect(report.firstErrors).toEqual({})
      expect(renewed).toBeGreaterThan(0)
      await stage.closeAndCheck(subject, lease, role)
    })

    it('Vault away for longer than a renewal but shorter than the lease: no query fails', async () => {
      const { world } = stage
      const role = 'away'
      const { hostname: host, port } = new URL(world.vault.address)
      await using way = await openFaultProxy({ host, port: Number(port) })
      const address = `http://${way.host}:${way.port}`
      const lease = await world.lease('15s', '120s', { role, address })
      const subject = await stage.subjectOn({ lease })
      await subject.query()
      await sleep(8_000)
      const report = await stage.underLoad(subject, async () => {
        way.set({ kind: 'cut' })
        await once(lease, 'failed')
        expect(lease.status().state).toBe('degraded')
        // A server that would have to start first might come, on a busy machine, when a rotation has taken the renewal's place.
        way.set({ kind: 'none' })
        await once(lease, 'renewed')
      })
      expect(report.firstErrors).toEqual({})
      expect(lease.status()).toMatchObject({ state: 'ready', generation: 1 })
      await stage.closeAndCheck(subject, lease, role)
    })

    it('killed in mid-drain, it leaves no user longer than the shortened lease', async () => {
      const { world } = stage
      const role = 'killed'
      await world.engine.role(role, { ttl: '1h', maxTtl: '2h' })
      const child = spawn(
        process.execPath,
        [
          '--import',
          'tsx',
          '--conditions=@vault-lease/source',
          fileURLToPath(new URL('./killed.ts', import.meta.url)),
          name,
        ],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
          env: {
            ...process.env,
            VAULT_ADDR: world.vault.address,
            VAULT_TOKEN: await world.engine.createToken(),
            VAULT_DB_ROLE: role,
            DB_HOST: world.database.host,
            DB_PORT: String(world.database.port),
            DB_NAME: world.database.database,
          },
        },
      )
      const lines = createInterface({ input: child.stdout })
      const [oldUser] = await once(lines, 'line')
      while ((await shortestTtl(world, role)) > longestDrainSeconds) await sleep(20)
      child.kill('SIGKILL')
      await once(child, 'exit')
      expect(await world.usersOf(role)).toContain(oldUser)
      while ((await world.usersOf(role)).includes(oldUser)) await sleep(200)
      await world.engine.revokePrefix(role)
    })

    it('prints no secret when everything is debugged, and leaves none in memory once it is closed', async () => {
      const role = 'debugged'
      await stage.world.engine.role(role, { ttl: '60s', maxTtl: '120s' })
      const leak = await leakOfDebugged(name, stage.world, role)
      if (leak !== undefined) expect.fail(leak)
    })
  })
}

/** In seconds, of the leases that there are of a role. */
async function shortestTtl({ engine, vault }: World, role: string): Promise<number> {
  const ttls = (await engine.leases(role)).map(async (id) => {
    const { body } = await vault.call('PUT', 'sys/leases/lookup', {
      lease_id: `${engine.mount}/creds/${role}/${id}`,
    })
    return body.data?.ttl ?? Number.POSITIVE_INFINITY
  })
  return Math.min(...(await Promise.all(ttls)))
}
