import { knexSubject, staticKnex } from './knex.ts'
import { pgSubject, staticPg } from './pg.ts'
import { prismaSubject, staticPrisma } from './prisma.ts'
import type { Adapter } from './subject.ts'
import { staticTypeorm, typeormSubject } from './typeorm.ts'

export type SubjectName = 'pg' | 'knex' | 'typeorm' | 'prisma'

/** Every adapter of ours, under one workload. */
export const subjects: Readonly<Record<SubjectName, Adapter>> = {
  pg: { database: 'postgresql', leased: pgSubject, plain: staticPg },
  knex: { database: 'postgresql', leased: knexSubject, plain: staticKnex },
  prisma: { database: 'postgresql', leased: prismaSubject, plain: staticPrisma },
  typeorm: { database: 'postgresql', leased: typeormSubject, plain: staticTypeorm },
}

export const subjectNames = Object.keys(subjects) as SubjectName[]

export function isSubjectName(name: string): name is SubjectName {
  return Object.hasOwn(subjects, name)
}
