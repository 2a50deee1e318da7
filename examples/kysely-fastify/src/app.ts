import type { VaultPool } from '@vault-lease/pg'
import { type FastifyInstance, fastify } from 'fastify'
import type { Insertable, Kysely, Updateable } from 'kysely'
import type { Database } from './database.ts'

type UserInput = Pick<Insertable<Database['users']>, 'name' | 'email'>
type UserChange = Pick<Updateable<Database['users']>, 'name' | 'email'>

const text = { type: 'string', minLength: 1, maxLength: 200 }
const email = { type: 'string', format: 'email', maxLength: 200 }
const properties = { name: text, email }
const newUser = { type: 'object', properties, required: ['name', 'email'], additionalProperties: false }
const userChange = { type: 'object', properties, minProperties: 1, additionalProperties: false }
const byId = { type: 'object', properties: { id: { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 } } }

const uniqueViolation = '23505'

/** A CRUD service over a table of users. Nothing in it knows that the database user changes, but /health. */
export function createApp(db: Kysely<Database>, { lease }: VaultPool): FastifyInstance {
  // What arrives on an open connection while the server closes is still served.
  const app = fastify({ return503OnClosing: false })

  app.get('/users', () => db.selectFrom('users').selectAll().orderBy('id').limit(100).execute())

  app.post<{ Body: UserInput }>('/users', { schema: { body: newUser } }, async ({ body }, reply) => {
    const user = await db.insertInto('users').values(body).returningAll().executeTakeFirst()
    return reply.code(201).send(user)
  })

  app.get<{ Params: { id: number } }>('/users/:id', { schema: { params: byId } }, async (request, reply) => {
    const user = await db
      .selectFrom('users')
      .selectAll()
      .where('id', '=', request.params.id)
      .executeTakeFirst()
    return user ?? reply.callNotFound()
  })

  app.patch<{ Params: { id: number }; Body: UserChange }>(
    '/users/:id',
    { schema: { params: byId, body: userChange } },
    async ({ params, body }, reply) => {
      const change = db.updateTable('users').set(body).where('id', '=', params.id)
      return (await change.returningAll().executeTakeFirst()) ?? reply.callNotFound()
    },
  )

  app.delete<{ Params: { id: number } }>(
    '/users/:id',
    { schema: { params: byId } },
    async (request, reply) => {
      const { numDeletedRows } = await db
        .deleteFrom('users')
        .where('id', '=', request.params.id)
        .executeTakeFirst()
      return numDeletedRows > 0 ? reply.code(204).send() : reply.callNotFound()
    },
  )

  app.get('/health', (_request, reply) => reply.code(lease.current ? 200 : 503).send(lease.status()))

  app.setErrorHandler<{ code?: string; statusCode?: number; message: string }>((error, _request, reply) => {
    if (error.code === uniqueViolation)
      return reply.code(409).send({ error: 'This e-mail address is taken.' })
    const status = error.statusCode ?? 500
    if (status < 500) return reply.code(status).send({ error: error.message })
    console.error(error)
    return reply.code(status).send({ error: 'Something went wrong.' })
  })
  return app
}
