import { httpAnswer, type Fault as WireFault } from '@vault-lease/testing'
import { type Fault, inTheMiddleOfALease, inTheMiddleOfALongerLease, nothing } from './fault.ts'
import type { World } from './world.ts'

const one = ({ vault }: World) => vault as NonNullable<World['vault']>

const killed: Pick<Fault, 'inject' | 'heal'> = {
  inject: (world) => one(world).kill(),
  heal: (world) => one(world).start(),
}

/** Vault itself goes away, and comes back. */
const goesAway: Fault[] = [
  {
    name: 'seal',
    world: 'single',
    ...inTheMiddleOfALongerLease,
    inject: (world) => one(world).seal(),
    heal: (world) => one(world).unseal(),
  },
  {
    name: 'stop',
    world: 'single',
    ...inTheMiddleOfALongerLease,
    inject: (world) => one(world).shutDown(),
    heal: (world) => one(world).start(),
  },
  {
    name: 'kill',
    world: 'single',
    ...inTheMiddleOfALongerLease,
    ...killed,
  },
  {
    name: 'away-beyond-the-lease',
    world: 'single',
    ttlSeconds: 6,
    lastsMs: 10_000,
    ...killed,
  },
  {
    name: 'audit-disk-full',
    world: 'single',
    ...inTheMiddleOfALongerLease,
    async inject(world) {
      world.audit?.lead('full disk')
      one(world).reload()
    },
    async heal(world) {
      world.audit?.lead('file')
      one(world).reload()
    },
  },
]

let deadLeader = -1

const cluster: Fault = {
  name: 'leader-killed-in-mid-rotation',
  world: 'cluster',
  ttlSeconds: 20,
  lastsMs: 6_000,
  async inject({ cluster }, applications) {
    if (!cluster) return
    deadLeader = await cluster.leader()
    const rotations = applications.map(({ lease }) => lease.rotate().catch(() => {}))
    await cluster.kill(deadLeader)
    void Promise.all(rotations)
  },
  heal: async ({ cluster }) => await cluster?.restart(deadLeader),
}

function onTheWay(name: string, fault: WireFault, lastsMs: number = inTheMiddleOfALease.lastsMs): Fault {
  return {
    name,
    world: 'single',
    ...inTheMiddleOfALease,
    lastsMs,
    inject: async ({ proxy }) => proxy?.set(fault),
    heal: async ({ proxy }) => proxy?.set({ kind: 'none' }),
  }
}

const json = { 'content-type': 'application/json' }
const errors = (message: string): string => JSON.stringify({ errors: [message] })

/** Something between the application and Vault. */
const wire: Fault[] = [
  onTheWay('latency', { kind: 'latency', ms: 1_000 }, 8_000),
  onTheWay('cut', { kind: 'cut' }),
  onTheWay('hang', { kind: 'hang' }),
  onTheWay('status-429', {
    kind: 'answer',
    bytes: httpAnswer(429, errors('rate limit quota exceeded'), { ...json, 'retry-after': '1' }),
  }),
  onTheWay('status-500', { kind: 'answer', bytes: httpAnswer(500, errors('internal error'), json) }),
  onTheWay('status-502', { kind: 'answer', bytes: httpAnswer(502, '<html>Bad Gateway</html>') }),
  onTheWay('garbage', { kind: 'answer', bytes: httpAnswer(200, '{"data": {"username": "half', json) }),
]

const policyPath = (mount: string): string => `sys/policies/acl/vault-lease-${mount}`
let policies: [path: string, policy: string][] = []

/** What an operator does. */
const operator: Fault[] = [
  {
    name: 'token-revoked',
    world: 'single',
    ttlSeconds: 20,
    lastsMs: 0,
    takes: 'credentials',
    async inject({ api, databases }) {
      for (const { engine } of databases.values())
        await api.must('PUT', `sys/leases/revoke-prefix/auth/approle-vault-lease-${engine.mount}/login`, {
          sync: true,
        })
    },
    heal: nothing,
  },
  {
    name: 'leases-revoked',
    world: 'single',
    ttlSeconds: 20,
    lastsMs: 0,
    takes: 'credentials',
    async inject({ api, databases }) {
      for (const { engine } of databases.values())
        await api.must('PUT', `sys/leases/revoke-prefix/${engine.mount}/creds`, { sync: true })
    },
    heal: nothing,
  },
  {
    name: 'policy-taken-away',
    world: 'single',
    ...inTheMiddleOfALease,
    async inject({ api, databases }) {
      policies = []
      for (const { engine } of databases.values()) {
        const path = policyPath(engine.mount)
        const { body } = await api.must('GET', path)
        policies.push([path, body.data.policy])
        await api.must('PUT', path, { policy: 'path "nothing" { capabilities = ["deny"] }' })
      }
    },
    async heal({ api }) {
      for (const [path, policy] of policies) await api.must('PUT', path, { policy })
    },
  },
]

export const vaultFaults: readonly Fault[] = [...goesAway, ...wire, ...operator, cluster]
