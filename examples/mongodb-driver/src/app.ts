import type { LeaseManager } from '@vault-lease/mongodb'
import { type FastifyInstance, fastify } from 'fastify'
import type { UserChanges } from './user-changes.ts'
import type { UserInput, Users } from './users.ts'

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
const byId = { type: 'object', properties: { id: { type: 'string', pattern: '^[0-9a-f]{24}$' } } }

const duplicateKey = 11_000

/** A CRUD service over a collection of users. Nothing in it knows that the database user changes. */
export function createApp(users: Users, changes: UserChanges, lease: LeaseManager): FastifyInstance {
  // What arrives on an open connection while the server closes is still served.
  const app = fastify({ return503OnClosing: false })

  app.get('/users', () => users.list())

  app.post<{ Body: UserInput }>('/users', { schema: { body: newUser } }, async ({ body }, reply) => {
    return reply.code(201).send(await users.create(body))
  })

  app.get<{ Params: { id: string } }>(
    '/users/:id',
    { schema: { params: byId } },
    async ({ params }, reply) => {
      const user = await users.find(params.id)
      return user ?? reply.callNotFound()
    },
  )

  app.patch<{ Params: { id: string }; Body: Partial<UserInput> }>(
    '/users/:id',
    { schema: { params: byId, body: userChange } },
    async ({ params, body }, reply) => {
      const user = await users.change(params.id, body)
      return user ?? reply.callNotFound()
    },
  )

  app.delete<{ Params: { id: string } }>(
    '/users/:id',
    { schema: { params: byId } },
    async ({ params }, reply) => {
      return (await users.delete(params.id)) ? reply.code(204).send() : reply.callNotFound()
    },
  )

  app.get('/users/changes', async (_request, reply) => {
    return reply.type('text/event-stream').send(await changes.listen())
  })
  // Those who listen would never let the server close.
  app.addHook('preClose', () => changes.close())

  app.get('/health', (_request, reply) => {
    const status = lease.status()
    return reply.code(lease.current ? 200 : 503).send(status)
  })

  app.setErrorHandler<{ code?: string | number; statusCode?: number; message: string }>(
    (error, _request, reply) => {
      if (error.code === duplicateKey) return reply.code(409).send({ error: 'This e-mail address is taken.' })
      const status = error.statusCode ?? 500
      if (status < 500) return reply.code(status).send({ error: error.message })
      console.error(error)
      return reply.code(status).send({ error: 'Something went wrong.' })
    },
  )
  return app
}
