import type { FastifyPluginAsync } from 'fastify'
import type { PrismaClient, User } from './generated/prisma/client.ts'

interface ById {
  Params: Pick<User, 'id'>
}

const id = { params: { type: 'object', properties: { id: { type: 'integer', minimum: 1 } } } }

/** What the body of a request has to be. */
const body = (facts: object): { body: object } => ({
  body: {
    type: 'object',
    properties: {
      name: { type: 'string', minLength: 1, maxLength: 191 },
      email: { type: 'string', format: 'email', maxLength: 191 },
    },
    additionalProperties: false,
    ...facts,
  },
})

/** Users are created, read, changed and deleted. That the database user changes is nowhere to be seen. */
export const users: FastifyPluginAsync<{ db: PrismaClient }> = async (app, { db: { user } }) => {
  app.get('/', () => user.findMany({ orderBy: { id: 'asc' }, take: 100 }))

  app.post<{ Body: Pick<User, 'name' | 'email'> }>(
    '/',
    { schema: body({ required: ['name', 'email'] }) },
    async (request, reply) => reply.code(201).send(await user.create({ data: request.body })),
  )

  app.get<ById>('/:id', { schema: id }, ({ params }) => user.findUniqueOrThrow({ where: params }))

  app.patch<ById & { Body: Partial<User> }>(
    '/:id',
    { schema: { ...id, ...body({ minProperties: 1 }) } },
    (request) => user.update({ where: request.params, data: request.body }),
  )

  app.delete<ById>('/:id', { schema: id }, async ({ params }, reply) => {
    await user.delete({ where: params })
    return reply.code(204).send()
  })
}
