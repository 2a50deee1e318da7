import { parseArgs } from 'node:util'
import { isSubjectName, type SubjectName, subjectNames } from '../subjects/index.ts'

/** What is soaked, and how. */
export interface SoakOptions {
  readonly mode: 'rotations' | 'every' | 'one-lease'
  readonly adapters: readonly SubjectName[]
  readonly rotations: number
  readonly queries: number
  readonly json: string | undefined
}

export const usage = `npm run soak -- [options]
  --rotations N    how many (1000), 10 at least: the process stays as it is
  --every          in place of them: a rotation each 5, 15 and 45 s with the drivers' defaults, some minutes for each database
  --one-lease      in place of them: queries without a rotation; the heap stays as it is
  --queries N      how many of those (1000000), 1000 at least
  --adapter NAME   what the load goes through (pg; with --every and --one-lease all of them):
                   ${subjectNames.join(', ')}
  --json FILE      write the figures`

/** @throws Error that says what is wrong with an argument. */
export function parseOptions(args: string[]): SoakOptions {
  const { values } = parseArgs({
    args,
    options: {
      rotations: { type: 'string' },
      every: { type: 'boolean', default: false },
      'one-lease': { type: 'boolean', default: false },
      queries: { type: 'string' },
      adapter: { type: 'string' },
      json: { type: 'string' },
    },
  })
  const { adapter, rotations, every, 'one-lease': oneLease, queries, json } = values
  if (adapter !== undefined && !isSubjectName(adapter))
    throw new Error(`--adapter ${adapter}: there is no such adapter`)
  if (every && oneLease) throw new Error('--every and --one-lease: one of them is enough')
  if (rotations && (every || oneLease)) throw new Error('--rotations: not with --every or --one-lease')
  if (queries && !oneLease) throw new Error('--queries: only with --one-lease')
  const mode = every ? 'every' : oneLease ? 'one-lease' : 'rotations'
  return {
    mode,
    adapters: adapter ? [adapter] : mode === 'rotations' ? ['pg'] : subjectNames,
    rotations: numberOf('rotations', rotations ?? '1000', 10),
    queries: numberOf('queries', queries ?? '1000000', 1_000),
    json,
  }
}

function numberOf(name: string, text: string, least: number): number {
  if (/^[1-9]\d*$/.test(text) && Number(text) >= least) return Number(text)
  throw new Error(`--${name}: a whole number is needed, ${least} at least`)
}
