import { PrismaPg } from '@prisma/adapter-pg'
import { vaultAdapter } from '@vault-lease/prisma'
import { type Prisma, PrismaClient } from '../generated/prisma-postgresql/client.ts'
import { poolOptions } from './pg.ts'
import { prismaSubjectOn, transactionOptions } from './prisma-subject.ts'
import type { MakeStatic, MakeSubject, Place, Subject } from './subject.ts'

export const leased: MakeSubject = (place, from) =>
  subjectOn(place, vaultAdapter({ provider: 'postgresql', ...from, ...poolOptions(place) }))

export const plain: MakeStatic = (place, login) =>
  subjectOn(place, new PrismaPg({ ...login, ...poolOptions(place) }))

function subjectOn(place: Place, adapter: Prisma.PrismaClientOptionsWithAdapter['adapter']): Subject {
  const db = new PrismaClient({ adapter, transactionOptions: transactionOptions(place) })
  return prismaSubjectOn(db, { sessionUser: 'session_user::text', inspectables: [adapter] })
}
