import { setTimeout as sleep } from 'node:timers/promises'
import type { LeaseManager, LeaseOptions } from '@vault-lease/core'
import { type DatabaseServer, type HammerReport, hammer } from '@vault-lease/testing'
import { expect } from 'vitest'
import { leasedSubject, type SubjectName, subjects } from '../subjects/index.ts'
import type { Subject } from '../subjects/subject.ts'
import { isUserOf, startWorld, type World } from './world.ts'

export const max = 5
export const workers = 20

/** The servers that the contract of one adapter runs on, and what its tests have in common. */
export class Stage {
  readonly #name: SubjectName
  #world: World | undefined
  readonly #opened: Subject[] = []
  #dropsBefore = 0

  constructor(name: SubjectName) {
    this.#name = name
  }

  get world(): World {
    if (!this.#world) throw new Error('the servers have not been started')
    return this.#world
  }

  async start(): Promise<void> {
    this.#world = await startWorld(subjects[this.#name].database)
  }

  async stop(): Promise<void> {
    await this.#world?.stop()
  }

  /** Users that were dropped before are none of ours. */
  async forgetDrops(): Promise<void> {
    this.#dropsBefore = (await this.world.engine.drops()).length
  }

  /** What one test leaves behind by failing must not fail the next. */
  async clear(): Promise<void> {
    await this.world.vault.start()
    const closed = Promise.all(this.#opened.splice(0).map((subject) => subject.close()))
    await Promise.race([closed, sleep(3_000)])
    await this.world.closeLeases()
  }

  /** @param way another way to the database. */
  async subjectOn(
    from: { lease: LeaseManager } | LeaseOptions,
    way?: Pick<DatabaseServer, 'host' | 'port'>,
  ): Promise<Subject> {
    const { database, secrets } = this.world
    const { database: name } = database
    const server = way ? { host: way.host, port: way.port, database: name } : database
    const place = { server, users: database, max, acquireTimeoutMs: 10_000, log: secrets.look }
    const subject = await leasedSubject(this.#name, place, from)
    this.#opened.push(subject)
    return subject
  }

  /** Hammers a subject while something happens, and says what it saw. */
  async underLoad(subject: Subject, happening: () => Promise<unknown>): Promise<HammerReport> {
    return await hammer({
      run: subject,
      workers,
      thinkMs: 10,
      until: happening(),
      onResult: ({ error }) => error !== undefined && this.world.secrets.look(error),
    })
  }

  async closeAndCheck(subject: Subject, lease: LeaseManager, role = 'app'): Promise<void> {
    const { engine, secrets, usersOf } = this.world
    for (const each of [...subject.inspectables(), lease, lease.status()]) secrets.look(each)
    await subject.close()
    await lease.close()
    expect(await usersOf(role)).toEqual([])
    expect(await engine.leases(role)).toEqual([])
    const drops = (await engine.drops()).slice(this.#dropsBefore)
    const ofRole = isUserOf(role)
    expect(drops.filter(({ username, openSessions }) => ofRole(username) && openSessions > 0)).toEqual([])
  }
}

export async function untilRetired(lease: LeaseManager): Promise<void> {
  while (lease.status().retiring.length > 0) await sleep(10)
}
