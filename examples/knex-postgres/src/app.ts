import type { LeaseManager } from '@vault-lease/knex'
import { type FastifyInstance, fastify } from 'fastify'
import type { Knex } from 'knex'

interface UserInput {
  name: string
  email: string
}

interface User extends UserInput {
  id: number
  created_at: Date
}

const text = { type: 'string', minLength: 1, maxLength: 200 }
const email = { type: 'string', format: 'email', maxLength: 200 }
const newUser = {
  type: 'object',
  properties: { name: text, email },
  required: ['name', 'email'],
  additionalProperties: false,
}
const userChange = {
  type: 'object',
  properties: { name: text, email },
  minProperties: 1,
  additionalProperties: false,
}
const byId = { type: 'object', properties: { id: { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 } } }

const uniqueViolation = '23505'

/** A CRUD service over a table of users. Nothing in it knows that the database user changes. */
export function createApp(db: Knex, lease: LeaseManager): FastifyInstance {
  // What arrives on an open connection while the server closes is still served.
  const app = fastify({ return503OnClosing: false })
  const users = () => db<User>('users')

  app.get('/users', () => users().orderBy('id').limit(100))

  app.post<{ Body: UserInput }>('/users', { schema: { body: newUser } }, async ({ body }, reply) => {
    const [user] = await users().insert(body).returning('*')
    return reply.code(201).send(user)
  })

  app.get<{ Params: { id: number } }>(
    '/users/:id',
    { schema: { params: byId } },
    async ({ params }, reply) => {
      const user = await users().where(params).first()
      return user ?? reply.callNotFound()
    },
  )

  app.patch<{ Params: { id: number }; Body: Partial<UserInput> }>(
    '/users/:id',
    { schema: { params: byId, body: userChange } },
    async ({ params, body }, reply) => {
      const [user] = await users().where(params).update(body).returning('*')
      return user ?? reply.callNotFound()
    },
  )

  app.delete<{ Params: { id: number } }>(
    '/users/:id',
    { schema: { params: byId } },
    async ({ params }, reply) => {
      const deleted = await users().where(params).delete()
      return deleted > 0 ? reply.code(204).send() : reply.callNotFound()
    },
  )

  app.get('/health', (_request, reply) => {
    const status = lease.status()
    return reply.code(lease.current ? 200 : 503).send(status)
  })

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
