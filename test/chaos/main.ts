import { writeFileSync } from 'node:fs'
import { optionsOrExit } from '../options-or-exit.ts'
import { leakIn, watchSecrets } from '../secret-watch.ts'
import { parseOptions, usage } from './options.ts'
import { adaptersOf, type Row, run } from './run.ts'
import { tableOf } from './table.ts'
import { allKinds, makeWorld, type WorldName } from './world.ts'

const { faults, adapters, json } = optionsOrExit(parseOptions, usage)
const rows: Row[] = []
const secrets = watchSecrets()
for (const name of ['single', 'pair', 'cluster'] satisfies WorldName[]) {
  const ofWorld = faults.filter((fault) => fault.world === name && adaptersOf(fault, adapters).length > 0)
  if (ofWorld.length === 0) continue
  console.error(`Starting servers (${name}) …`)
  await using world = await makeWorld[name](allKinds())
  for (const fault of ofWorld) {
    const began = performance.now()
    const found = await run(fault, adaptersOf(fault, adapters), world, secrets)
    rows.push(...found)
    console.error(`${fault.name}: ${summary(found)} (${Math.round((performance.now() - began) / 1_000)} s)`)
  }
}
console.log(tableOf(rows))
if (json) writeFileSync(json, `${JSON.stringify(rows, undefined, 2)}\n`)
const bad = rows.filter(
  (row) => row.failedWhileCredentialAlive > 0 || row.usersLeft > 0 || row.msToNormal === Infinity,
)
console.log(
  bad.length === 0
    ? 'No query failed for which there was a live credential, and no user is left.'
    : `${bad.length} of ${rows.length} rows are not as promised.`,
)
const leak = leakIn(secrets)
console.log(
  leak === undefined ? `None of ${secrets.known()} secrets was shown.` : `A secret was shown: ${leak}`,
)
process.exitCode = bad.length === 0 && leak === undefined ? 0 : 1

function summary(found: readonly Row[]): string {
  const sum = (pick: (row: Row) => number): number => found.reduce((total, row) => total + pick(row), 0)
  return `${sum(({ queries }) => queries)} queries, ${sum(({ failed }) => failed)} failed, ${sum((row) => row.failedWhileCredentialAlive)} of them with a live credential`
}
