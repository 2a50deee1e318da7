import { parseArgs } from 'node:util'
import { isSubjectName, type SubjectName, subjectNames } from '../subjects/index.ts'

/** What is measured, and for how long. */
export interface BenchOptions {
  readonly adapters: readonly SubjectName[]
  readonly rounds: number
  /** For each side and each number of workers, in each round. */
  readonly seconds: number
  /** With a rotation every 5 s, in place of none. */
  readonly rotations: boolean
  readonly json: string
  /** Only what a lease adds to a checkout, without servers. */
  readonly checkout: boolean
  /** Only what a process pays that starts. */
  readonly start: boolean
}

const shortestWithRotationsS = 5

export const usage = `npm run bench -- [options]
  --rounds N          rounds for each adapter, each in new processes (7)
  --seconds N         for each side and each number of workers in each round (2); with rotations at least 5
  --rotations         with a rotation every 5 s, in place of none
  --adapter NAME      only this one: ${subjectNames.join(', ')}
  --checkout          only what a lease adds to taking a connection and giving it back, or to a command, without servers
  --start             only what a process pays that starts: the import, the first row, the end
  --json FILE         where the figures are written (bench-results.json)`

/** @throws Error that says what is wrong with an argument. */
export function parseOptions(args: string[]): BenchOptions {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: 'string', default: '7' },
      seconds: { type: 'string', default: '2' },
      rotations: { type: 'boolean', default: false },
      adapter: { type: 'string' },
      checkout: { type: 'boolean', default: false },
      start: { type: 'boolean', default: false },
      json: { type: 'string', default: 'bench-results.json' },
    },
  })
  const { adapter, rounds, rotations, json, checkout, start } = values
  const seconds = positive('seconds', values.seconds)
  if (adapter !== undefined && !isSubjectName(adapter)) {
    throw new Error(`--adapter ${adapter}: there is ${subjectNames.join(', ')}`)
  }
  return {
    adapters: adapter === undefined ? subjectNames : [adapter],
    rounds: positive('rounds', rounds),
    seconds: rotations ? Math.max(shortestWithRotationsS, seconds) : seconds,
    rotations,
    json,
    checkout,
    start,
  }
}

function positive(name: string, text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text)
  throw new Error(`--${name} ${text}: a whole number above 0 is needed`)
}
