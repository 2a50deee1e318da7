import { type LeaseManager, vaultLeaseErrorOf } from '@vault-lease/prisma'
import { type FastifyInstance, fastify } from 'fastify'
import { Prisma, type PrismaClient } from './generated/prisma/client.ts'

type UserInput = Pick<Prisma.UserCreateInput, 'name' | 'email'>

const properties = {
  name: { type: 'string', minLength: 1, maxLength: 200 },
  email: { type: 'string', format: 'email', maxLength: 200 },
}
const change = { type: 'object', properties, minProperties: 1, additionalProperties: false }
const whole = { ...change, required: ['name', 'email'] }
const byId = { type: 'object', properties: { id: { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 } } }

/** What a client of the service hears of the errors of Prisma. */
const answers: Readonly<Record<string, { status: number; error: string }>> = {
  P2002: { status: 409, error: 'This e-mail address is taken.' },
  P2025: { status: 404, error: 'There is no such user.' },
}

/** A CRUD service over a table of users. That the database user changes is nowhere to be seen. */
export function createApp(db: PrismaClient, lease: LeaseManager): FastifyInstance {
  // What arrives on an open connection while the server closes is still served.
  const app = fastify({ return503OnClosing: false })

  app.get('/users', () => db.user.findMany({ orderBy: { id: 'asc' }, take: 100 }))

  app.post<{ Body: UserInput }>('/users', { schema: { body: whole } }, async ({ body: data }, reply) =>
    reply.code(201).send(await db.user.create({ data })),
  )

  app.get<{ Params: { id: number } }>('/users/:id', { schema: { params: byId } }, ({ params: where }) =>
    db.user.findUniqueOrThrow({ where }),
  )

  app.patch<{ Params: { id: number }; Body: Partial<UserInput> }>(
    '/users/:id',
    { schema: { params: byId, body: change } },
    ({ params: where, body: data }) => db.user.update({ where, data }),
  )

  app.delete<{ Params: { id: number } }>(
    '/users/:id',
    { schema: { params: byId } },
    async ({ params: where }, reply) => {
      await db.user.delete({ where })
      return reply.code(204).send()
    },
  )

  app.get('/health', (_request, reply) => reply.code(lease.current ? 200 : 503).send(lease.status()))

  app.setErrorHandler<Error & { statusCode?: number }>((error, _request, reply) => {
    const answer = error instanceof Prisma.PrismaClientKnownRequestError ? answers[error.code] : undefined
    if (answer) return reply.code(answer.status).send({ error: answer.error })
    if (error.statusCode) return reply.code(error.statusCode).send({ error: error.message })
    console.error(error)
    if (vaultLeaseErrorOf(error)?.retryable) return reply.code(503).send({ error: 'Try again later.' })
    return reply.code(500).send({ error: 'Something went wrong.' })
  })
  return app
}
