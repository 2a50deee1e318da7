import { setTimeout as sleep } from 'node:timers/promises'
import type { SecretWatch } from '../secret-watch.ts'
import { type SubjectName, subjectNames, subjects } from '../subjects/index.ts'
import { Application } from './application.ts'
import type { Fault } from './fault.ts'
import { type Span, spansWithout, unexcused } from './verdict.ts'
import { allKinds, type World } from './world.ts'

/** What one fault did to one application. */
export interface Row {
  readonly fault: string
  readonly adapter: SubjectName
  /** Operations that were done, the failed ones among them. */
  readonly queries: number
  readonly failed: number
  /** Those that nothing excuses: there was a live credential, and a database that took it. */
  readonly failedWhileCredentialAlive: number
  /** From the end of the fault to the last trouble: a failed operation, or a lease in another state than ready. */
  readonly msToNormal: number
  /** Database users that were left when everything was closed. */
  readonly usersLeft: number
}

const calmMs = 1_500
const longestMs = 60_000

/** The adapters that a fault is for. */
export function adaptersOf({ databases = allKinds() }: Fault, wanted: readonly SubjectName[]): SubjectName[] {
  return subjectNames.filter((name) => wanted.includes(name) && databases.includes(subjects[name].database))
}

/** Lets a fault come over applications under load, and go again. */
export async function run(
  fault: Fault,
  adapters: readonly SubjectName[],
  world: World,
  secrets: SecretWatch,
): Promise<Row[]> {
  const applications: Application[] = []
  // One after the other: Vault takes no two changes of one AppRole at a time.
  for (const [index, name] of adapters.entries())
    applications.push(await open(name, `r${index + 10}`, fault, world, secrets))
  await Promise.all(applications.map((application) => application.start()))
  // Two thirds of the TTL is when leases are renewed.
  await sleep(fault.ttlSeconds * 500)
  const from = performance.now()
  await fault.inject(world, applications)
  await sleep(fault.lastsMs)
  await fault.heal(world)
  const healed = performance.now()
  await untilCalm(applications)
  const calm = performance.now()
  const troubles = applications.map(({ lastTrouble }) => Math.max(0, Math.round(lastTrouble - healed)))
  await Promise.all(applications.map((application) => application.stop()))
  await untilNobodyIsLeft(applications, fault.ttlSeconds)
  return await Promise.all(
    applications.map(async (application, index) => {
      const { name, queries, failures, life } = application
      const excuses = [...spansWithout(life, calm), ...taken(fault, application, { from, to: healed })]
      const alive = unexcused(failures, excuses)
      for (const { error } of alive.slice(0, 3)) console.error(`${fault.name}, ${name}:`, error)
      return {
        fault: fault.name,
        adapter: name,
        queries,
        failed: failures.length,
        failedWhileCredentialAlive: alive.length,
        msToNormal: troubles[index] ?? 0,
        usersLeft: await application.usersLeft(),
      }
    }),
  )
}

async function open(
  name: SubjectName,
  role: string,
  fault: Fault,
  world: World,
  secrets: SecretWatch,
): Promise<Application> {
  const database = world.databases.get(subjects[name].database)
  if (!database) throw new Error(`there is no database for ${name}`)
  const { ttlSeconds } = fault
  await database.engine.role(role, { ttl: `${ttlSeconds}s`, maxTtl: `${ttlSeconds * 4}s` })
  const { leased } = await subjects[name].load()
  return new Application(name, role, database, await world.access(database), secrets, leased)
}

/** What the fault itself takes from everybody. */
function taken({ takes }: Fault, { life }: Application, span: Span): Span[] {
  if (takes === 'database') return [span]
  if (takes === undefined) return []
  const next = life.find(({ is, at }) => is === 'alive' && at > span.from)
  return [{ from: span.from, to: next?.at ?? Number.POSITIVE_INFINITY }]
}

/** Until nothing was wrong for a while. */
async function untilCalm(applications: readonly Application[]): Promise<void> {
  for (const end = performance.now() + longestMs; performance.now() < end; await sleep(50)) {
    const since = Math.max(...applications.map(({ lastTrouble }) => lastTrouble))
    if (performance.now() - since >= calmMs && applications.every(({ isNormal }) => isNormal)) return
  }
}

/** What could not be revoked ends by itself. */
async function untilNobodyIsLeft(applications: readonly Application[], ttlSeconds: number): Promise<void> {
  for (const end = performance.now() + (ttlSeconds + 10) * 1_000; performance.now() < end; await sleep(200)) {
    const left = await Promise.all(applications.map((application) => application.usersLeft()))
    if (left.every((count) => count === 0)) return
  }
}
