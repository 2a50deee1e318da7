import { PrismaMariaDb } from '@prisma/adapter-mariadb'
import { vaultAdapter } from '@vault-lease/prisma'
import type { PoolConfig } from 'mariadb'
import { type Prisma, PrismaClient } from '../generated/prisma-mysql/client.ts'
import type { PrismaClient as PostgresClient } from '../generated/prisma-postgresql/client.ts'
import { prismaSubjectOn, transactionOptions } from './prisma-subject.ts'
import type { MakeStatic, MakeSubject, Place, Subject } from './subject.ts'

export const leased: MakeSubject = (place, from) =>
  subjectOn(place, vaultAdapter({ provider: 'mysql', ...from, ...poolOptions(place) }))

export const plain: MakeStatic = (place, login) =>
  subjectOn(place, new PrismaMariaDb({ ...login, ...poolOptions(place) }))

/** A busy machine needs longer for a connection than the second that the driver allows. */
const quickOptions = { idleTimeout: 1, connectTimeout: 10_000 }

function poolOptions({ server, max, acquireTimeoutMs, quick }: Place): PoolConfig {
  const { host, port, database } = server
  const all = { host, port, database, connectionLimit: max, acquireTimeout: acquireTimeoutMs }
  return quick ? { ...all, ...quickOptions } : all
}

function subjectOn(place: Place, adapter: Prisma.PrismaClientOptionsWithAdapter['adapter']): Subject {
  const db = new PrismaClient({ adapter, transactionOptions: transactionOptions(place) })
  const sessionUser = `substring_index(session_user(), '@', 1)`
  // The two clients differ in filters that the workload does not use.
  return prismaSubjectOn(db as unknown as PostgresClient, { sessionUser, inspectables: [adapter] })
}
