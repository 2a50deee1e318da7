import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type BenchServers, role, startBenchServers } from '../bench-servers.ts'
import { spreadOf } from '../spread.ts'
import { type Installed, installedBeside } from './installed.ts'
import { type StartName, type StartPlace, startNames, starts } from './starts.ts'

/** The parts of one start, in milliseconds. */
export interface StartTimes {
  readonly importMs: number
  /** From the end of the import. */
  readonly firstRowMs: number
  readonly endMs: number
}

/** The same place, reached three ways; `credential` is the request for one alone. */
const sides = ['static', 'leased', 'credential'] as const
type Side = (typeof sides)[number]

const importGoalMs = 100
const firstRowGoal = 1.2
const side = fileURLToPath(new URL('./start/side.js', import.meta.url))
const run = promisify(execFile)

/** What a process pays that starts cold: each start is a new process, the sides in turns. */
export async function compareStarts({
  rounds,
  json,
}: {
  readonly rounds: number
  readonly json: string
}): Promise<void> {
  console.log(`Each start in a process of its own, in turns: milliseconds, the medians of ${rounds} rounds.
Goals: the import adds at most ${importGoalMs} ms, and the first row comes after at most ${firstRowGoal} times its round trips (static and the credential).
${row(['', 'import', '', '', 'first row', '', '', '', 'end', '', 'installed beside'])}
${row(['adapter', 'static', 'leased', 'added', 'static', 'credential', 'leased', 'ratio', 'static', 'leased', 'the driver'])}`)
  const lines: StartLine[] = []
  for (const kind of ['postgresql', 'mysql', 'mongodb'] as const) {
    const names = startNames.filter((name) => starts[name].database === kind)
    const servers = await startBenchServers(kind)
    try {
      for (const name of names) {
        const line = await lineOf(name, servers, rounds)
        lines.push(line)
        console.log(describe(line))
      }
    } finally {
      await servers.stop()
    }
  }
  writeFileSync(json, `${JSON.stringify({ node: process.version, rounds, lines }, undefined, 2)}\n`)
  console.log(`Figures: ${resolve(json)}`)
}

type StartLine = Readonly<Record<Side, StartTimes>> & {
  readonly adapter: StartName
  readonly importAddedMs: number
  readonly firstRowRatio: number
  readonly installed: Installed
}

async function lineOf(adapter: StartName, servers: BenchServers, rounds: number): Promise<StartLine> {
  const all: Record<Side, StartTimes[]> = { static: [], leased: [], credential: [] }
  // What the files of a package cost to read for the first time belongs to neither side.
  for (const each of sides) await startOnce(adapter, each, servers)
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? sides : sides.toReversed()
    for (const each of order) all[each].push(await startOnce(adapter, each, servers))
  }
  const medians = {
    static: mediansOf(all.static),
    leased: mediansOf(all.leased),
    credential: mediansOf(all.credential),
  }
  return {
    adapter,
    ...medians,
    importAddedMs: medians.leased.importMs - medians.static.importMs,
    firstRowRatio: medians.leased.firstRowMs / (medians.static.firstRowMs + medians.credential.firstRowMs),
    installed: installedBeside(starts[adapter].package, starts[adapter].drivers),
  }
}

async function startOnce(adapter: StartName, name: Side, servers: BenchServers): Promise<StartTimes> {
  const { host, port, database } = servers.database
  const place: StartPlace = { host, port, database, login: servers.staticLogin, role }
  const env = {
    ...process.env,
    VAULT_ADDR: servers.vault.address,
    VAULT_TOKEN: await servers.engine.createToken(),
  }
  const { stdout } = await run(process.execPath, [side, adapter, name, JSON.stringify(place)], { env })
  return JSON.parse(stdout) as StartTimes
}

function mediansOf(starts: readonly StartTimes[]): StartTimes {
  const median = (part: keyof StartTimes): number => spreadOf(starts.map((start) => start[part])).median
  return { importMs: median('importMs'), firstRowMs: median('firstRowMs'), endMs: median('endMs') }
}

function describe(line: StartLine): string {
  const { static: plain, leased, credential, importAddedMs, firstRowRatio, installed } = line
  const ms = (figure: number): string => figure.toFixed(0)
  return row([
    line.adapter,
    ...[plain.importMs, leased.importMs].map(ms),
    `${ms(importAddedMs)} ${importAddedMs <= importGoalMs ? 'met' : 'missed'}`,
    ...[plain.firstRowMs, credential.firstRowMs, leased.firstRowMs].map(ms),
    `${firstRowRatio.toFixed(2)} ${firstRowRatio <= firstRowGoal ? 'met' : 'missed'}`,
    ...[plain.endMs, leased.endMs].map(ms),
    `${(installed.bytes / 1_000_000).toFixed(1)} MB in ${installed.packages} packages`,
  ])
}

function row(cells: readonly string[]): string {
  const widths = [9, 6, 6, 10, 9, 10, 6, 11, 6, 6, 0]
  return cells
    .map((cell, column) => cell.padEnd(widths[column] ?? 0))
    .join('  ')
    .trimEnd()
}
