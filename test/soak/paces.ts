import { setTimeout as sleep } from 'node:timers/promises'
import { hammer } from '@vault-lease/testing'
import { type SubjectName, subjects } from '../subjects/index.ts'
import {
  type Application,
  type Outcome,
  outcomeOf,
  startApplication,
  startSoakServers,
} from './application.ts'
import { collectWarnings } from './warnings.ts'

/** So many rotations, one each so many milliseconds. */
export interface Pace {
  readonly everyMs: number
  readonly rotations: number
}

/** What rotations at several paces did to adapters that use the same servers. */
export interface PacesReport {
  readonly outcomes: Readonly<Partial<Record<SubjectName, Outcome>>>
  readonly warnings: readonly string[]
  readonly usersLeft: number
}

/** Beside the drivers' own time constants, which are ten to thirty seconds by default: first slower, then faster. */
export const paces: readonly Pace[] = [
  { everyMs: 45_000, rotations: 2 },
  { everyMs: 15_000, rotations: 3 },
  { everyMs: 5_000, rotations: 8 },
]

const workers = 6

/**
 * Rotates adapters of one database side by side, with pauses in their work in which connections are idle for long.
 *
 * @param quick whether the drivers' own time constants are short.
 */
export async function soakPaces(
  adapters: readonly SubjectName[],
  paces: readonly Pace[],
  quick = false,
): Promise<PacesReport> {
  const [kind, another] = new Set(adapters.map((adapter) => subjects[adapter].database))
  if (!kind || another) throw new Error('adapters of one database are needed')
  await using servers = await startSoakServers(kind)
  const warnings = collectWarnings()
  const applications: [SubjectName, Application][] = []
  // One by one: Vault's storage in memory refuses two writers at once.
  for (const adapter of adapters)
    applications.push([adapter, await startApplication(servers, adapter, quick)])
  const soaked = applications.map(async ([adapter, each]) => [adapter, await soakOne(each, paces)])
  const outcomes = Object.fromEntries(await Promise.all(soaked))
  return { outcomes, warnings: warnings(), usersLeft: (await servers.engine.users()).length }
}

async function soakOne({ lease, subject, close }: Application, paces: readonly Pace[]): Promise<Outcome> {
  let longestMs = 0
  const rotating = (async () => {
    for (const { everyMs, rotations } of paces) {
      longestMs = everyMs / 2
      for (let done = 0; done < rotations; done++) {
        await sleep(everyMs)
        await lease.rotate()
      }
    }
  })()
  const report = await hammer({
    run: subject,
    workers,
    thinkMs: () => Math.random() * longestMs,
    until: rotating,
  })
  await close()
  return outcomeOf(report)
}
