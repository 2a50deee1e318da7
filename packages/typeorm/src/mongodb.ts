import { InvalidOptionError } from '@vault-lease/core'
import { type VaultMongoClient, vaultMongoClientClass } from '@vault-lease/mongodb/adapter'
import type { MongoClient, MongoClientOptions } from 'mongodb'
import type { Driver } from 'typeorm'
import type { OpenPoolsOn } from './rotation.ts'
import type { LeasedPool } from './session.ts'

interface Mongodb {
  readonly MongoClient: typeof MongoClient
}

/** TypeORM's MongoDriver, which makes its client by the class `MongoClient` in its member `mongodb`. */
type MongoDriver = Driver & { mongodb: Mongodb }

/**
 * Prepares the driver of a DataSource: over its own copy of mongodb, or the one in the caller's option `driver`.
 *
 * @throws InvalidOptionError when this is not a driver that works the way this package needs.
 */
export function mongoClient(driver: Driver): OpenPoolsOn {
  const mongoDriver = asMongoDriver(driver)
  const { mongodb } = mongoDriver
  const VaultMongoClient = vaultMongoClientClass(mongodb)
  return (session) => {
    const connect = async (url: string, options?: MongoClientOptions): Promise<VaultMongoClient> => {
      const client = new VaultMongoClient(url, { ...options, lease: session.lease })
      session.add(poolOf(client))
      return await client.connect()
    }
    mongoDriver.mongodb = Object.create(mongodb, {
      MongoClient: { value: Object.create(VaultMongoClient, { connect: { value: connect } }) },
    })
  }
}

/** A client knows by itself who is at work, and for how long to wait. */
function poolOf(client: VaultMongoClient): LeasedPool {
  return { atWork: true, end: () => client.close() }
}

function asMongoDriver(driver: Driver): MongoDriver {
  if (isMongoDriver(driver)) return driver
  throw new InvalidOptionError(
    'TypeORM has to work with mongodb: its driver has no "mongodb" with a MongoClient. ' +
      'Install mongodb, look at the option "driver", or upgrade @vault-lease/typeorm.',
  )
}

function isMongoDriver(driver: Driver): driver is MongoDriver {
  const { mongodb } = driver as Partial<MongoDriver>
  return typeof mongodb?.MongoClient === 'function'
}
