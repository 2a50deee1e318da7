import { knexSubject, staticKnex } from './knex.ts'
import { pgSubject, staticPg } from './pg.ts'
import type { MakeStatic, MakeSubject } from './subject.ts'

export type SubjectName = 'pg' | 'knex'

/** Every adapter of ours, under one workload. */
export const subjects: Readonly<Record<SubjectName, MakeSubject>> = { pg: pgSubject, knex: knexSubject }

/** The same workload over the plain driver. */
export const statics: Readonly<Record<SubjectName, MakeStatic>> = { pg: staticPg, knex: staticKnex }

export function isSubjectName(name: string): name is SubjectName {
  return name in subjects
}
