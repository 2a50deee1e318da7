import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { resolve } from 'node:path'
import type { DatabaseServer } from '@vault-lease/testing'
import { type SubjectName, subjects } from '../subjects/index.ts'
import { type BenchServers, startBenchServers } from './bench-servers.ts'
import { type Comparison, compare, describe, header } from './compare.ts'
import { describeVerdicts, verdictsOn } from './goals.ts'
import type { BenchOptions } from './options.ts'
import { pinTo } from './pin.ts'
import { measureRound, type Pair, type RoundPlan, rotateEveryMs, workerCounts } from './round.ts'

/** Every adapter under a load of short queries, against the plain driver, on real servers. */
export async function compareOnServers(options: BenchOptions): Promise<void> {
  const pinned = pinTo('servers')
  console.log(announcement(options, pinned))
  const lines: Comparison[] = []
  for (const kind of ['postgresql', 'mysql', 'mongodb', 'redis'] as const) {
    const onThese = options.adapters.filter((adapter) => subjects[adapter].database === kind)
    if (onThese.length > 0) lines.push(...(await compareOn(kind, onThese, options)))
  }
  const goals = verdictsOn(lines)
  console.log(`\n${describeVerdicts(goals)}`)
  const { rounds, seconds } = options
  const machine = { node: process.version, cpu: cpus()[0]?.model, cpus: cpus().length, pinned }
  const figures = { ...machine, rounds, seconds, goals, lines }
  writeFileSync(options.json, `${JSON.stringify(figures, undefined, 2)}\n`)
  console.log(`Figures: ${resolve(options.json)}`)
  const failed = lines.reduce((sum, line) => sum + line.failed, 0)
  if (failed > 0) {
    console.error(`${failed} queries failed.`)
    process.exitCode = 1
  }
}

async function compareOn(
  kind: DatabaseServer['kind'],
  adapters: readonly SubjectName[],
  { rotations, seconds, rounds }: BenchOptions,
): Promise<Comparison[]> {
  const servers = await startBenchServers(kind)
  const lines: Comparison[] = []
  try {
    for (const adapter of adapters) {
      const ofAdapter = await compareAdapter(servers, { adapter, rotations, seconds }, rounds)
      for (const line of ofAdapter) console.log(describe(line))
      lines.push(...ofAdapter)
    }
  } finally {
    await servers.stop()
  }
  return lines
}

async function compareAdapter(servers: BenchServers, plan: RoundPlan, rounds: number): Promise<Comparison[]> {
  const byRound: Pair[][] = []
  for (let round = 0; round < rounds; round++) byRound.push(await measureRound(servers, plan))
  const { adapter, rotations } = plan
  return workerCounts.map((workers, load) =>
    compare(
      { adapter, workers, rotations },
      byRound.flatMap((pairs) => pairs[load] ?? []),
    ),
  )
}

function announcement({ rounds, seconds, rotations }: BenchOptions, pinned: boolean): string {
  const load = rotations ? `a rotation every ${rotateEveryMs / 1_000} s` : 'no rotation'
  const place = pinned
    ? 'the servers on one core and the client on another'
    : 'servers and client on any core'
  return `Short queries on a pool of 10, ${load}: the plain driver with a password against the same driver on a lease,
each in a process of its own, in turns, ${place}.
${rounds} rounds of ${seconds} s for each side and load. Every figure is leased / static: the median of the rounds (min-max). Of the
turns of a round those count, for throughput and CPU, that only a quarter of them are better than.

${header}`
}
