import { ioredisSubject, staticIoredis } from './ioredis.ts'
import { knexOn } from './knex.ts'
import { mikroOrmOn } from './mikro-orm.ts'
import { mongodbSubject, staticMongodb } from './mongodb.ts'
import { mongooseSubject, staticMongoose } from './mongoose.ts'
import { mysql2Subject, staticMysql2 } from './mysql2.ts'
import { mysql2PromiseSubject, staticMysql2Promise } from './mysql2-promise.ts'
import { nodeRedisSubject, staticNodeRedis } from './node-redis.ts'
import { pgSubject, staticPg } from './pg.ts'
import { postgresSubject, staticPostgres } from './postgres.ts'
import { prismaSubject, staticPrisma } from './prisma.ts'
import { prismaMySqlSubject, staticPrismaMySql } from './prisma-mysql.ts'
import { sequelizeOn } from './sequelize.ts'
import type { Adapter } from './subject.ts'
import { typeormOn } from './typeorm.ts'
import { staticTypeormMongodb, typeormMongodbSubject } from './typeorm-mongodb.ts'

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

/** Every adapter of ours, under one workload. */
export const subjects: Readonly<Record<SubjectName, Adapter>> = {
  pg: { database: 'postgresql', leased: pgSubject, plain: staticPg },
  postgres: { database: 'postgresql', leased: postgresSubject, plain: staticPostgres, pipelines: true },
  knex: { database: 'postgresql', ...knexOn('pg') },
  'knex-mysql': { database: 'mysql', ...knexOn('mysql2') },
  prisma: { database: 'postgresql', leased: prismaSubject, plain: staticPrisma },
  'prisma-mysql': { database: 'mysql', leased: prismaMySqlSubject, plain: staticPrismaMySql },
  typeorm: { database: 'postgresql', ...typeormOn('postgres') },
  'typeorm-mysql': { database: 'mysql', ...typeormOn('mysql') },
  'typeorm-mariadb': { database: 'mysql', ...typeormOn('mariadb') },
  sequelize: { database: 'postgresql', ...sequelizeOn('postgres') },
  'sequelize-mysql': { database: 'mysql', ...sequelizeOn('mysql') },
  'sequelize-mariadb': { database: 'mysql', ...sequelizeOn('mariadb') },
  'mikro-orm': { database: 'postgresql', ...mikroOrmOn('postgresql') },
  'mikro-orm-mysql': { database: 'mysql', ...mikroOrmOn('mysql') },
  'mikro-orm-mariadb': { database: 'mysql', ...mikroOrmOn('mariadb') },
  mysql2: { database: 'mysql', leased: mysql2Subject, plain: staticMysql2 },
  'mysql2-promise': { database: 'mysql', leased: mysql2PromiseSubject, plain: staticMysql2Promise },
  mongodb: { database: 'mongodb', leased: mongodbSubject, plain: staticMongodb, pools: 2 },
  mongoose: { database: 'mongodb', leased: mongooseSubject, plain: staticMongoose, pools: 2 },
  'typeorm-mongodb': {
    database: 'mongodb',
    leased: typeormMongodbSubject,
    plain: staticTypeormMongodb,
    pools: 2,
  },
  ioredis: { database: 'redis', leased: ioredisSubject, plain: staticIoredis, logins: 1 },
  'node-redis': { database: 'redis', leased: nodeRedisSubject, plain: staticNodeRedis, logins: 1 },
}

export const subjectNames = Object.keys(subjects) as SubjectName[]

export function isSubjectName(name: string): name is SubjectName {
  return Object.hasOwn(subjects, name)
}
