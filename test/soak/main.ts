import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { optionsOrExit } from '../options-or-exit.ts'
import { isSubjectName, type SubjectName, subjectNames } from '../subjects/index.ts'
import { isSound, type SoakReport, soak } from './run.ts'

const usage = `npm run soak -- [options]
  --rotations N    how many (1000), 10 at least
  --adapter NAME   what the load goes through (pg): ${subjectNames.join(', ')}
  --json FILE      write the figures`

const { adapter, rotations, json } = optionsOrExit(parseOptions, usage)
console.error('Starting a database and a Vault-compatible server …')
const report = await soak(adapter, rotations, (done, { heapMb, handles, timers, listeners }) => {
  console.error(
    `${done} rotations: heap ${heapMb} MB, ${handles} handles, ${timers} timers, ${listeners} listeners`,
  )
})
console.log(summary(report))
if (json) writeFileSync(json, `${JSON.stringify(report, undefined, 2)}\n`)
process.exitCode = isSound(report) ? 0 : 1

function summary({
  rotations,
  queries,
  failed,
  failures,
  firstErrors,
  verdicts,
  warnings,
  usersLeft,
}: SoakReport): string {
  const kinds = Object.entries(failures).map(([kind, count]) => `${count} × ${kind}`)
  return [
    `${rotations} rotations, ${queries} queries, failed ${failed}${kinds.length > 0 ? ` (${kinds.join(', ')})` : ''}, users left ${usersLeft}`,
    ...Object.entries(firstErrors).map(([kind, error]) => `  ${kind}: ${error}`),
    ...Object.entries(verdicts).map(
      ([what, { flat, first, last }]) =>
        `  ${what.padEnd(10)} ${flat ? 'flat' : 'GROWS'}: ${first} after the warm-up, ${last} at the end`,
    ),
    `  warnings   ${warnings.length === 0 ? 'none' : warnings.join('; ')}`,
  ].join('\n')
}

function parseOptions(args: string[]): { adapter: SubjectName; rotations: number; json: string | undefined } {
  const { values } = parseArgs({
    args,
    options: {
      rotations: { type: 'string', default: '1000' },
      adapter: { type: 'string', default: 'pg' },
      json: { type: 'string' },
    },
  })
  const { adapter, rotations, json } = values
  if (!isSubjectName(adapter)) throw new Error(`--adapter ${adapter}: there is no such adapter`)
  if (!/^[1-9]\d+$/.test(rotations)) throw new Error('--rotations: a whole number is needed, 10 at least')
  return { adapter, rotations: Number(rotations), json }
}
