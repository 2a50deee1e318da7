import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { resolve } from 'node:path'
import type { DatabaseServer } from '@vault-lease/testing'
import { subjects } from '../subjects/index.ts'
import { type BenchServers, startBenchServers } from './bench-servers.ts'
import { type Comparison, compare, describe, header, type Pair } from './compare.ts'
import { collectGarbage, measureRound, type Scenario, type SideName, warmUpMs } from './measure.ts'
import type { BenchOptions } from './options.ts'

/** A pool takes this long to be made and closed, about. */
const aroundMs = 300
const shortestWithRotationsS = 5

const orders: readonly [[SideName, SideName], [SideName, SideName]] = [
  ['static', 'leased'],
  ['leased', 'static'],
]

/** Every adapter under a load of short queries, against the plain driver, on real servers. */
export async function compareOnServers(options: BenchOptions): Promise<void> {
  collectGarbage()
  const scenarios = scenariosOf(options)
  console.log(announcement(scenarios, options))
  const lines: Comparison[] = []
  for (const kind of ['postgresql', 'mysql', 'mongodb'] as const) {
    const onThese = scenarios.filter(({ adapter }) => subjects[adapter].database === kind)
    if (onThese.length > 0) lines.push(...(await measureAll(kind, onThese, options.rounds)))
  }
  const { rounds, seconds } = options
  const circumstances = { node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length, rounds, seconds }
  writeFileSync(options.json, `${JSON.stringify({ ...circumstances, lines }, undefined, 2)}\n`)
  console.log(`Figures: ${resolve(options.json)}`)
  const failed = lines.reduce((sum, line) => sum + line.failed, 0)
  if (failed > 0) {
    console.error(`${failed} queries failed.`)
    process.exitCode = 1
  }
}

async function measureAll(
  kind: DatabaseServer['kind'],
  scenarios: readonly Scenario[],
  rounds: number,
): Promise<Comparison[]> {
  const servers = await startBenchServers(kind)
  const lines: Comparison[] = []
  try {
    for (const adapter of new Set(scenarios.map(({ adapter }) => adapter)))
      await compileEverything(servers, adapter)
    console.log(header)
    for (const scenario of scenarios) {
      const line = compare(scenario, await measureRounds(servers, scenario, rounds))
      lines.push(line)
      console.log(describe(line))
    }
  } finally {
    await servers.stop()
  }
  return lines
}

function scenariosOf({ adapters, seconds }: BenchOptions): Scenario[] {
  return adapters.flatMap((adapter) =>
    [false, true].flatMap((rotations) =>
      [1, 10, 50].map((workers) => ({
        adapter,
        workers,
        rotations,
        seconds: rotations ? Math.max(shortestWithRotationsS, seconds) : seconds,
      })),
    ),
  )
}

function announcement(scenarios: readonly Scenario[], { rounds }: BenchOptions): string {
  const totalMs = scenarios.reduce(
    (sum, { seconds }) => sum + 2 * rounds * (seconds * 1_000 + 2 * (warmUpMs + aroundMs)),
    0,
  )
  return `Short queries on a pool of 10: the plain driver with a password against the same driver on a lease, in turns.
${scenarios.length} lines of ${rounds} rounds each, about ${Math.ceil(totalMs / 60_000)} minutes. Every figure is leased / static: the median of the rounds (min-max).`
}

/** What the first pools pay for compiling belongs to neither side. */
async function compileEverything(servers: BenchServers, adapter: Scenario['adapter']): Promise<void> {
  console.log(`Warming up ${adapter} …`)
  await measureRound(servers, { adapter, workers: 10, rotations: false, seconds: 2 }, orders[0])
}

async function measureRounds(servers: BenchServers, scenario: Scenario, rounds: number): Promise<Pair[]> {
  const pairs: Pair[] = []
  for (let round = 0; round < rounds; round++) {
    pairs.push(await measureRound(servers, scenario, orders[round % 2 === 0 ? 0 : 1]))
  }
  return pairs
}
