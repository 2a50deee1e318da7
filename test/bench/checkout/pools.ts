import { PrismaMariaDb } from '@prisma/adapter-mariadb'
import type { AdapterOptions } from '@vault-lease/core'
import { vaultConnection } from '@vault-lease/knex'
import { VaultMongoClient } from '@vault-lease/mongodb'
import { createPool } from '@vault-lease/mysql2'
import { VaultPool } from '@vault-lease/pg'
import { vaultAdapter } from '@vault-lease/prisma'
import { vaultRedis } from '@vault-lease/redis'
import { Redis } from 'ioredis'
import createKnex, { type Knex } from 'knex'
import { MongoClient } from 'mongodb'
import mysql from 'mysql2'
import pg from 'pg'
import { createClient } from 'redis'
import { answerOnMySql, answerOnPg } from './answering.ts'
import { answerOnMongo } from './answering-mongo.ts'
import { answerOnRedis } from './answering-redis.ts'

export type SideName = 'static' | 'leased'

/** A pool of which a connection is taken and given back. */
export interface MeasuredPool {
  checkout(): Promise<void>
  close(): Promise<unknown>
}

const user = 'bench'
const password = 'bench'
const max = 10

/** The real pool classes, over connections of their drivers that answer at once. */
export const makePool = {
  pg: makePg,
  knex: makeKnex,
  mysql2: makeMySql2,
  'prisma-mysql': makePrisma,
  mongodb: makeMongo,
  ioredis: makeIoredis,
  'node-redis': makeNodeRedis,
} as const
export type PoolName = keyof typeof makePool
export const poolNames = Object.keys(makePool) as PoolName[]

async function makePg(side: SideName): Promise<MeasuredPool> {
  answerOnPg()
  const place = { host: '127.0.0.1', port: 1, database: 'app', max }
  const pool =
    side === 'leased'
      ? new VaultPool({ ...place, ...fromFunction })
      : new pg.Pool({ ...place, user, password })
  return {
    checkout: async () => (await pool.connect()).release(),
    close: () => pool.end(),
  }
}

async function makeKnex(side: SideName): Promise<MeasuredPool> {
  answerOnPg()
  const place = { host: '127.0.0.1', port: 1, database: 'app' }
  const connection =
    side === 'leased' ? vaultConnection({ ...place, ...fromFunction }) : { ...place, user, password }
  const db = createKnex({ client: 'pg', connection, pool: { min: 0, max } })
  const client: Knex.Client = db.client
  return {
    checkout: async () => await client.releaseConnection(await client.acquireConnection()),
    close: () => db.destroy(),
  }
}

async function makeMySql2(side: SideName): Promise<MeasuredPool> {
  const server = await answerOnMySql()
  const place = { host: '127.0.0.1', port: server.port, database: 'app', connectionLimit: max }
  const pool =
    side === 'leased'
      ? createPool({ ...place, ...fromFunction })
      : mysql.createPool({ ...place, user, password })
  return {
    checkout: () =>
      new Promise((resolve, reject) => {
        pool.getConnection((error, connection) => {
          if (error) return reject(error)
          connection.release()
          resolve()
        })
      }),
    close: async () => {
      await new Promise<void>((resolve) => pool.end(() => resolve()))
      await server.close()
    },
  }
}

async function makePrisma(side: SideName): Promise<MeasuredPool> {
  const server = await answerOnMySql()
  const place = { host: '127.0.0.1', port: server.port, database: 'app', connectionLimit: max }
  const factory =
    side === 'leased'
      ? vaultAdapter({ provider: 'mysql', ...place, ...fromFunction })
      : new PrismaMariaDb({ ...place, user, password })
  const adapter = await factory.connect()
  // The pool that Prisma's adapter works on.
  const { client: pool } = adapter as unknown as { client: PoolOfMariaDb }
  return {
    checkout: async () => await (await pool.getConnection()).release(),
    close: async () => {
      await adapter.dispose()
      await server.close()
    },
  }
}

/** A whole operation: there is nothing less that a caller can ask for. */
async function makeMongo(side: SideName): Promise<MeasuredPool> {
  const server = await answerOnMongo(user)
  const uri = `mongodb://127.0.0.1:${server.port}/app`
  const client =
    side === 'leased'
      ? new VaultMongoClient(uri, { maxPoolSize: max, ...fromFunction })
      : new MongoClient(uri, { maxPoolSize: max, auth: { username: user, password }, authSource: 'admin' })
  const database = client.db()
  return {
    checkout: async () => void (await database.command({ ping: 1 })),
    close: async () => {
      await client.close()
      await server.close()
    },
  }
}

/** A command: these have one connection, which is not taken. */
async function makeIoredis(side: SideName): Promise<MeasuredPool> {
  answerOnRedis()
  const client = new Redis(side === 'leased' ? {} : { username: user, password })
  const redis = side === 'leased' ? vaultRedis(client, fromFunction) : client
  return {
    checkout: async () => void (await redis.get('item:1')),
    close: () => redis.quit(),
  }
}

async function makeNodeRedis(side: SideName): Promise<MeasuredPool> {
  answerOnRedis()
  const client = createClient(side === 'leased' ? {} : { username: user, password })
  const redis = side === 'leased' ? vaultRedis(client, fromFunction) : client
  await redis.connect()
  return {
    checkout: async () => void (await redis.get('item:1')),
    close: () => redis.close(),
  }
}

interface PoolOfMariaDb {
  getConnection(): Promise<{ release(): Promise<void> }>
}

const fromFunction: AdapterOptions = { credential: async () => ({ username: user, password }) }
