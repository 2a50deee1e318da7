import type { SubjectName } from '../subjects/index.ts'
import { type BenchServers, role } from './bench-servers.ts'
import type { Measurement, SideName } from './load.ts'
import { type SideProcess, startSide } from './side-process.ts'

/** Whose pools are measured, how, and for how long. */
export interface RoundPlan {
  readonly adapter: SubjectName
  readonly rotations: boolean
  /** For each side and each number of workers. */
  readonly seconds: number
}

/** Both sides under one load, in one round. */
export type Pair = Readonly<Record<SideName, Measurement>>

export const workerCounts = [1, 10, 50] as const

/** Short, so that what changes on the machine meanwhile meets both sides alike. */
const turnMs = 250
export const rotateEveryMs = 5_000
const poolMax = 10
const sideNames = ['static', 'leased'] as const

/** One round: two new processes take turns under each load; who begins changes from turn to turn. */
export async function measureRound(servers: BenchServers, plan: RoundPlan): Promise<Pair[]> {
  const started = await Promise.all(sideNames.map((side) => startSideOn(servers, plan.adapter, side)))
  const [plain, leased] = started as [SideProcess, SideProcess]
  try {
    const pairs: Pair[] = []
    for (const workers of workerCounts) {
      await plain.do({ step: 'warmUp', workers })
      await leased.do({ step: 'warmUp', workers })
      await takeTurns([plain, leased], workers, plan)
      pairs.push({ static: await plain.report(), leased: await leased.report() })
    }
    return pairs
  } finally {
    await Promise.all(started.map((side) => side.close()))
  }
}

async function takeTurns(
  sides: readonly SideProcess[],
  workers: number,
  { rotations, seconds }: RoundPlan,
): Promise<void> {
  const lastingMs = rotations ? rotateEveryMs : turnMs
  const turns = Math.max(1, Math.round((seconds * 1_000) / lastingMs))
  for (let turn = 0; turn < turns; turn++) {
    const inTurn = turn % 2 === 0 ? sides : sides.toReversed()
    for (const side of inTurn) await side.do({ step: 'turn', workers, lastingMs, rotate: rotations })
  }
}

async function startSideOn(
  servers: BenchServers,
  adapter: SubjectName,
  side: SideName,
): Promise<SideProcess> {
  const { database, vault, engine, staticLogin: login } = servers
  const { host, port, database: name } = database
  return await startSide({
    adapter,
    side,
    place: { server: { host, port, database: name }, max: poolMax, acquireTimeoutMs: 10_000 },
    login,
    vault: { address: vault.address, token: await engine.createToken(), role },
  })
}
