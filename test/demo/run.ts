import { appRole, createLease, createVault, type LeaseManager } from '@vault-lease/core'
import {
  type DatabaseEngine,
  type DatabaseServer,
  type HammerResult,
  hammer,
  type Servers,
  startServers,
  watchSessions,
} from '@vault-lease/testing'
import { leasedSubject, staticSubject, subjects } from '../subjects/index.ts'
import { type Place, schemas } from '../subjects/subject.ts'
import { type Figures, figuresOf, type Run } from './figures.ts'
import { handWrittenClient } from './hand-written.ts'
import { type DemoOptions, secondsIn } from './options.ts'
import { countTold } from './told.ts'

/** Vault cuts a role's name in the user name at eight letters. */
const rotatingRole = 'rotating'
const handWrittenRole = 'byhand'
const poolMax = 10
const acquireTimeoutMs = 10_000
const whyItLooksFast =
  'What waits in a pool that is being ended fails, or hangs until its time-out, and leaves the database to the others: the median flatters this client.'

export async function startDemoServers({ adapter, ttl, maxTtl }: DemoOptions): Promise<Servers> {
  const kind = subjects[adapter].database
  const servers = await startServers({ kind, schema: schemas[kind] })
  for (const role of [rotatingRole, handWrittenRole]) await servers.engine.role(role, { ttl, maxTtl })
  return servers
}

/** The application on our adapter: it lives through its max TTL once, and is then rotated by hand every few seconds. */
export async function runRotating(
  { database, vault: server, engine }: Servers,
  options: DemoOptions,
  live: { onLease(lease: LeaseManager): void; onResult(result: HammerResult): void },
): Promise<Run> {
  const vault = createVault({ address: server.address, auth: appRole(await engine.createAppRole()) })
  const lease = createLease({ vault, role: rotatingRole })
  const inForceFrom = new Map<string, number>()
  const told = countTold(lease)
  lease.on('rotated', ({ username }) => void inForceFrom.set(username, Date.now()))
  await lease.ready()
  live.onLease(lease)
  const subject = await leasedSubject(options.adapter, placeOf(database), { lease })
  const watch = await watchSessions(database, { users: usersOf(database, rotatingRole) })
  const startedAt = Date.now()
  const stopRotating = rotateByHand(lease, options)
  const report = await hammer({
    run: subject,
    workers: options.workers,
    until: options.seconds * 1_000,
    onResult: live.onResult,
  })
  stopRotating()
  await subject.close()
  await lease.close()
  await vault.close()
  const run = { hammer: report, sessions: await watch.stop(), startedAt }
  const figures = figuresOf(run, {
    rotations: inForceFrom.size - 1,
    inForceFrom,
    told,
    ...(await leftOf(engine, rotatingRole)),
  })
  const { pools = 1 } = subjects[options.adapter]
  return { title: `vault-lease on ${options.adapter}`, figures, poolMax, pools, ...run }
}

/** The same load on a hand-written client. */
export async function runHandWritten(
  { database, vault: server, engine }: Servers,
  options: DemoOptions,
): Promise<Run> {
  const path = `${engine.mount}/creds/${handWrittenRole}`
  const watch = await watchSessions(database, { users: usersOf(database, handWrittenRole) })
  const token = await engine.createToken()
  const client = await handWrittenClient(server, path, token, (login) =>
    staticSubject(options.adapter, placeOf(database), login),
  )
  const startedAt = Date.now()
  const report = await hammer({ run: client, workers: options.workers, until: options.seconds * 1_000 })
  await client.close()
  const run = { hammer: report, sessions: await watch.stop(), startedAt }
  const left = await leftOf(engine, handWrittenRole)
  const figures: Figures = figuresOf(run, {
    rotations: client.rotations(),
    inForceFrom: firstSeen(run.sessions),
    ...left,
  })
  return {
    title: `a hand-written client on ${options.adapter}`,
    note: whyItLooksFast,
    figures,
    poolMax,
    pools: 1,
    ...run,
  }
}

function firstSeen({ timeline }: Run['sessions']): Map<string, number> {
  const seen = new Map<string, number>()
  for (const { at, sessions } of timeline)
    for (const user in sessions) if (!seen.has(user)) seen.set(user, at)
  return seen
}

function rotateByHand(lease: LeaseManager, { seconds, ttl, maxTtl }: DemoOptions): () => void {
  const firstMs = Math.min(secondsIn(maxTtl), seconds * 0.6) * 1_000
  const rotate = (): void => void lease.rotate().catch((error: unknown) => console.error(String(error)))
  let repeat: NodeJS.Timeout | undefined
  const first = setTimeout(() => {
    rotate()
    repeat = setInterval(rotate, secondsIn(ttl) * 600)
  }, firstMs)
  return () => {
    clearTimeout(first)
    clearInterval(repeat)
  }
}

function placeOf(server: DatabaseServer): Place {
  return { server, max: poolMax, acquireTimeoutMs }
}

function usersOf({ kind }: DatabaseServer, role: string): string {
  return kind === 'redis' ? `V_%_${role.replaceAll('-', '_').toUpperCase()}_%` : `v-%-${role}-%`
}

async function leftOf(
  engine: DatabaseEngine,
  role: string,
): Promise<Pick<Parameters<typeof figuresOf>[1], 'drops' | 'usersLeft'>> {
  const ours = (username: string): boolean => username.includes(`-${role}-`)
  const drops = (await engine.drops()).filter(({ username }) => ours(username))
  const usersLeft = (await engine.users()).filter(ours).length
  return { drops, usersLeft }
}
