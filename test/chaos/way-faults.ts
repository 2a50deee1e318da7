import type { Fault as WireFault } from '@vault-lease/testing'
import type { Application } from './application.ts'
import type { Fault } from './fault.ts'
import type { World } from './world.ts'

/** When a fault comes between applications and their databases. */
interface Moment {
  before?(applications: readonly Application[]): Promise<unknown>
  /** Not waited for. */
  after?(applications: readonly Application[]): Promise<unknown>
}

const rotate = (applications: readonly Application[]): Promise<unknown> =>
  Promise.allSettled(applications.map(({ lease }) => lease.rotate({ timeoutMs: 10_000 })))

const moments: Readonly<Record<string, Moment>> = {
  'in-force': {},
  'in-prove': { after: rotate },
  'in-drain': { before: rotate },
  'at-close': { after: (applications) => Promise.allSettled(applications.map((each) => each.close())) },
}

/** Named by what becomes of connections that are open. A slow database is one that there is. */
const wires: Readonly<Record<string, Pick<Fault, 'takes'> & { readonly fault: WireFault }>> = {
  hangs: { fault: { kind: 'hang' }, takes: 'database' },
  'is-cut-off': { fault: { kind: 'cut' }, takes: 'database' },
  'is-half-open': { fault: { kind: 'freeze' }, takes: 'database' },
  'is-slow': { fault: { kind: 'latency', ms: 100 } },
}

function setAll({ databases }: World, fault: WireFault): void {
  for (const { way } of databases.values()) way?.set(fault)
}

/** Something between the applications and their databases, at every moment in the life of a lease. */
export const wayFaults: readonly Fault[] = Object.entries(wires).flatMap(([what, { fault, ...taken }]) =>
  Object.entries(moments).map(
    ([when, { before, after }]): Fault => ({
      name: `database-${what}-${when}`,
      world: 'single',
      ttlSeconds: 16,
      lastsMs: 4_000,
      ...taken,
      async inject(world, applications) {
        await before?.(applications)
        setAll(world, fault)
        void after?.(applications)
      },
      async heal(world) {
        setAll(world, { kind: 'none' })
      },
    }),
  ),
)
