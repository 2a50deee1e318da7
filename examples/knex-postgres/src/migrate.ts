// Instead of `knex migrate:latest`, which exits without destroying its pool and so leaves the lease to its TTL.
import knex from 'knex'
import config from '../knexfile.ts'

const db = knex(config)
try {
  const [, applied]: [number, string[]] = await db.migrate.latest()
  console.log(applied.length > 0 ? `Applied ${applied.join(', ')}` : 'Nothing to apply')
} finally {
  await db.destroy()
}
