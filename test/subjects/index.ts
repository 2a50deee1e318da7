import type { Adapter, MakeStatic, MakeSubject, Subject } from './subject.ts'

export type SubjectName =
  | 'pg'
  | 'postgres'
  | 'knex'
  | 'knex-mysql'
  | 'typeorm'
  | 'typeorm-mysql'
  | 'typeorm-mariadb'
  | 'sequelize'
  | 'sequelize-mysql'
  | 'sequelize-mariadb'
  | 'mikro-orm'
  | 'mikro-orm-mysql'
  | 'mikro-orm-mariadb'
  | 'mysql2'
  | 'mysql2-promise'
  | 'prisma'
  | 'prisma-mysql'
  | 'mongodb'
  | 'mongoose'
  | 'typeorm-mongodb'
  | 'ioredis'
  | 'node-redis'

const knex = () => import('./knex.ts')
const typeorm = () => import('./typeorm.ts')
const sequelize = () => import('./sequelize.ts')
const mikroOrm = () => import('./mikro-orm.ts')

/** Every adapter of ours, under one workload. */
export const subjects: Readonly<Record<SubjectName, Adapter>> = {
  pg: { database: 'postgresql', load: () => import('./pg.ts') },
  postgres: { database: 'postgresql', load: () => import('./postgres.ts'), pipelines: true },
  knex: { database: 'postgresql', load: async () => (await knex()).knexOn('pg') },
  'knex-mysql': { database: 'mysql', load: async () => (await knex()).knexOn('mysql2') },
  prisma: { database: 'postgresql', load: () => import('./prisma.ts') },
  'prisma-mysql': { database: 'mysql', load: () => import('./prisma-mysql.ts') },
  typeorm: { database: 'postgresql', load: async () => (await typeorm()).typeormOn('postgres') },
  'typeorm-mysql': { database: 'mysql', load: async () => (await typeorm()).typeormOn('mysql') },
  'typeorm-mariadb': { database: 'mysql', load: async () => (await typeorm()).typeormOn('mariadb') },
  sequelize: { database: 'postgresql', load: async () => (await sequelize()).sequelizeOn('postgres') },
  'sequelize-mysql': { database: 'mysql', load: async () => (await sequelize()).sequelizeOn('mysql') },
  'sequelize-mariadb': { database: 'mysql', load: async () => (await sequelize()).sequelizeOn('mariadb') },
  'mikro-orm': { database: 'postgresql', load: async () => (await mikroOrm()).mikroOrmOn('postgresql') },
  'mikro-orm-mysql': { database: 'mysql', load: async () => (await mikroOrm()).mikroOrmOn('mysql') },
  'mikro-orm-mariadb': { database: 'mysql', load: async () => (await mikroOrm()).mikroOrmOn('mariadb') },
  mysql2: { database: 'mysql', load: () => import('./mysql2.ts') },
  'mysql2-promise': { database: 'mysql', load: () => import('./mysql2-promise.ts') },
  mongodb: { database: 'mongodb', load: () => import('./mongodb.ts'), pools: 2 },
  mongoose: { database: 'mongodb', load: () => import('./mongoose.ts'), pools: 2 },
  'typeorm-mongodb': { database: 'mongodb', load: () => import('./typeorm-mongodb.ts'), pools: 2 },
  ioredis: { database: 'redis', load: () => import('./ioredis.ts'), logins: 1 },
  'node-redis': { database: 'redis', load: () => import('./node-redis.ts'), logins: 1 },
}

/** The adapter of ours under the workload. */
export async function leasedSubject(name: SubjectName, ...where: Parameters<MakeSubject>): Promise<Subject> {
  return (await subjects[name].load()).leased(...where)
}

/** The plain driver under the workload. */
export async function staticSubject(name: SubjectName, ...where: Parameters<MakeStatic>): Promise<Subject> {
  return (await subjects[name].load()).plain(...where)
}

export const subjectNames = Object.keys(subjects) as SubjectName[]

export function isSubjectName(name: string): name is SubjectName {
  return Object.hasOwn(subjects, name)
}
