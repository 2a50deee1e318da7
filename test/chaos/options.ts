import { parseArgs } from 'node:util'
import { isSubjectName, type SubjectName, subjectNames } from '../subjects/index.ts'
import { clockFaults } from './clock-faults.ts'
import { databaseFaults } from './database-faults.ts'
import type { Fault } from './fault.ts'
import { vaultFaults } from './vault-faults.ts'
import { wayFaults } from './way-faults.ts'

export const faults: readonly Fault[] = [...vaultFaults, ...databaseFaults, ...wayFaults, ...clockFaults]

export interface ChaosOptions {
  readonly faults: readonly Fault[]
  readonly adapters: readonly SubjectName[]
  readonly json: string | undefined
}

export const usage = `npm run chaos -- [options]
  --only NAME      one fault; more than one: with commas, or given again
  --adapter NAME   one adapter, likewise; all by default
  --json FILE      write the table as JSON
Faults:   ${faults.map(({ name }) => name).join(', ')}
Adapters: ${subjectNames.join(', ')}`

/** @throws Error that says what is wrong with an argument. */
export function parseOptions(args: string[]): ChaosOptions {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', multiple: true, default: [] },
      adapter: { type: 'string', multiple: true, default: [] },
      json: { type: 'string' },
    },
  })
  const only = values.only.flatMap((names) => names.split(','))
  const adapters = values.adapter.flatMap((names) => names.split(','))
  const unknown = only.find((name) => faults.every((fault) => fault.name !== name))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there is no such fault`)
  return {
    faults: only.length > 0 ? faults.filter(({ name }) => only.includes(name)) : faults,
    adapters: adapters.length > 0 ? adapters.map(asSubjectName) : subjectNames,
    json: values.json,
  }
}

function asSubjectName(name: string): SubjectName {
  if (isSubjectName(name)) return name
  throw new Error(`--adapter ${name}: there is no such adapter`)
}
