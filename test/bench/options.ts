import { parseArgs } from 'node:util'
import { isSubjectName, type SubjectName, subjectNames } from '../subjects/index.ts'

/** What is measured, and for how long. */
export interface BenchOptions {
  readonly adapters: readonly SubjectName[]
  readonly rounds: number
  /** For each side in each round. */
  readonly seconds: number
  readonly json: string
  /** Only what a lease adds to a checkout, without servers. */
  readonly checkout: boolean
}

export const usage = `npm run bench -- [options]
  --rounds N          rounds for each line (5)
  --seconds N         for each side in each round (4); with rotations at least 5
  --adapter NAME      only this one: ${subjectNames.join(', ')}
  --checkout          only what a lease adds to taking a connection and giving it back, without servers
  --json FILE         where the figures are written (bench-results.json)`

/** @throws Error that says what is wrong with an argument. */
export function parseOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '4' },
      adapter: { type: 'string' },
      checkout: { type: 'boolean', default: false },
      json: { type: 'string', default: 'bench-results.json' },
    },
  })
  const { adapter, rounds, seconds, json, checkout } = values
  if (adapter !== undefined && !isSubjectName(adapter)) {
    throw new Error(`--adapter ${adapter}: there is ${subjectNames.join(', ')}`)
  }
  return {
    adapters: adapter === undefined ? subjectNames : [adapter],
    rounds: positive('rounds', rounds),
    seconds: positive('seconds', seconds),
    json,
    checkout,
  }
}

function positive(name: string, text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text)
  throw new Error(`--${name} ${text}: a whole number above 0 is needed`)
}
