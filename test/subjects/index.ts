import { knexSubject, staticKnex } from './knex.ts'
import { pgSubject, staticPg } from './pg.ts'
import type { Adapter } from './subject.ts'

export type SubjectName = 'pg' | 'knex'

/** Every adapter of ours, under one workload. */
export const subjects: Readonly<Record<SubjectName, Adapter>> = {
  pg: { database: 'postgresql', leased: pgSubject, plain: staticPg },
  knex: { database: 'postgresql', leased: knexSubject, plain: staticKnex },
}

export const subjectNames = Object.keys(subjects) as SubjectName[]

export function isSubjectName(name: string): name is SubjectName {
  return Object.hasOwn(subjects, name)
}
