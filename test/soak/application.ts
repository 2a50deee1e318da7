import { appRole, createLease, createVault, type LeaseManager } from '@vault-lease/core'
import { type HammerReport, type Servers, type ServersOptions, startServers } from '@vault-lease/testing'
import { leasedSubject, type SubjectName } from '../subjects/index.ts'
import { type Subject, schemas } from '../subjects/subject.ts'

/** An application that uses one adapter, on a lease that only the soak rotates. */
export interface Application {
  readonly lease: LeaseManager
  readonly subject: Subject
  close(): Promise<void>
}

const role = 'soak'

/** A database and a Vault with the role of the soak. */
export async function startSoakServers(kind: ServersOptions['kind']): Promise<Servers> {
  const servers = await startServers({ kind, schema: schemas[kind] })
  await servers.engine.role(role, { ttl: '4h', maxTtl: '24h' })
  return servers
}

/** @param quick whether its driver's own time constants are short. */
export async function startApplication(
  { database: server, vault: { address }, engine }: Servers,
  adapter: SubjectName,
  quick = false,
): Promise<Application> {
  const vault = createVault({ address, auth: appRole(await engine.createAppRole()) })
  const lease = createLease({ vault, role })
  const place = { server, max: 5, acquireTimeoutMs: 10_000, quick }
  const subject = await leasedSubject(adapter, place, { lease })
  await lease.ready()
  return {
    lease,
    subject,
    async close() {
      await subject.close()
      await lease.close()
      await vault.close()
    },
  }
}

/** What became of the operations of an application. */
export interface Outcome {
  readonly queries: number
  readonly failed: number
  readonly failures: Readonly<Record<string, number>>
  /** The first error of each kind, as text. */
  readonly firstErrors: Readonly<Record<string, string>>
}

export function outcomeOf({ queries, failed, failures, firstErrors }: HammerReport): Outcome {
  const texts = Object.entries(firstErrors).map(([kind, error]) => [kind, String(error)])
  return { queries, failed, failures, firstErrors: Object.fromEntries(texts) }
}

/** One line, and one more for each kind of error. */
export function outcomeText({ queries, failed, failures, firstErrors }: Outcome): string {
  const errors = Object.entries(firstErrors).map(
    ([kind, error]) => `\n  ${failures[kind]} × ${kind}, the first: ${error}`,
  )
  return `${queries} queries, failed ${failed}${errors.join('')}`
}
