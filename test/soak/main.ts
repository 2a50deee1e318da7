import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { optionsOrExit } from '../options-or-exit.ts'
import { type SubjectName, subjects } from '../subjects/index.ts'
import { outcomeText } from './application.ts'
import type { Flatness } from './flat.ts'
import { soakOneLease } from './one-lease.ts'
import { parseOptions, type SoakOptions, usage } from './options.ts'
import { paces, soakPaces } from './paces.ts'
import { isSound, soakRotations } from './rotations.ts'

/** The figures, and whether they are as they should be. */
interface Result {
  readonly report: unknown
  readonly sound: boolean
}

const options = optionsOrExit(parseOptions, usage)
console.error('Starting databases and Vault-compatible servers …')
const modes = { rotations: rotationsOf, every: everyOf, 'one-lease': oneLeaseOf }
const results = await modes[options.mode](options)
if (options.json) {
  const reports = results.map(({ report }) => report)
  writeFileSync(options.json, `${JSON.stringify(reports, undefined, 2)}\n`)
}
process.exitCode = results.every(({ sound }) => sound) ? 0 : 1

async function rotationsOf({ adapters, rotations }: SoakOptions): Promise<Result[]> {
  const results: Result[] = []
  for (const adapter of adapters) {
    const report = await soakRotations(adapter, rotations, (done, { heapMb, handles, timers, listeners }) => {
      console.error(
        `${done} rotations: heap ${heapMb} MB, ${handles} handles, ${timers} timers, ${listeners} listeners`,
      )
    })
    console.log(
      `${adapter}: ${rotations} rotations, ${outcomeText(report)}\n  users left ${report.usersLeft}`,
    )
    for (const [what, verdict] of Object.entries(report.verdicts))
      console.log(`  ${what.padEnd(10)} ${flatText(verdict)}`)
    console.log(`  warnings   ${warningsText(report.warnings)}`)
    results.push({ report, sound: isSound(report) })
  }
  return results
}

async function everyOf({ adapters }: SoakOptions): Promise<Result[]> {
  const results: Result[] = []
  for (const kind of new Set(adapters.map((adapter) => subjects[adapter].database))) {
    const ofKind = adapters.filter((adapter) => subjects[adapter].database === kind)
    console.error(`${kind}: ${ofKind.join(', ')}`)
    const report = await soakPaces(ofKind, paces)
    const { outcomes, warnings, usersLeft } = report
    for (const [adapter, outcome] of Object.entries(outcomes))
      console.log(`${adapter}: ${outcomeText(outcome)}`)
    console.log(`${kind}: users left ${usersLeft}, warnings ${warningsText(warnings)}`)
    const lossless = Object.values(outcomes).every(({ failed }) => failed === 0)
    results.push({ report, sound: lossless && usersLeft === 0 && warnings.length === 0 })
  }
  return results
}

async function oneLeaseOf({ adapters, queries }: SoakOptions): Promise<Result[]> {
  const [adapter, ...more] = adapters
  if (!adapter || more.length > 0) return adapters.map((each) => oneLeaseApart(each, queries))
  const report = await soakOneLease(adapter, queries, (done, heapMb) =>
    console.error(`${adapter}: ${done} queries, heap ${heapMb} MB`),
  )
  const { failed, heapMb, bytesPerQuery, generation } = report
  console.log(`${adapter}: ${outcomeText(report)}`)
  console.log(`  heapMb     ${flatText(heapMb)}; ${bytesPerQuery} bytes a query; generation ${generation}`)
  return [{ report, sound: failed === 0 && heapMb.flat && generation === 1 }]
}

/** In a process of its own: what other adapters have loaded is not in its heap. */
function oneLeaseApart(adapter: SubjectName, queries: number): Result {
  const folder = mkdtempSync(join(tmpdir(), 'vault-lease-soak-'))
  const json = join(folder, 'report.json')
  const args = ['--one-lease', '--adapter', adapter, '--queries', String(queries), '--json', json]
  const command = [...process.execArgv, fileURLToPath(import.meta.url), ...args]
  const { status } = spawnSync(process.execPath, command, { stdio: 'inherit' })
  const [report] = existsSync(json) ? JSON.parse(readFileSync(json, 'utf8')) : [{ adapter, status }]
  rmSync(folder, { recursive: true })
  return { report, sound: status === 0 }
}

function flatText({ flat, first, last }: Flatness): string {
  return `${flat ? 'flat' : 'GROWS'}: ${first} after the warm-up, ${last} at the end`
}

function warningsText(warnings: readonly string[]): string {
  return warnings.length === 0 ? 'none' : warnings.join('; ')
}
