import type { LeaseManager } from '@vault-lease/mysql2/promise'
import express, { type ErrorRequestHandler, type Express, Router } from 'express'
import { isUserInput, isWhole } from './user-input.ts'
import type { Users } from './users.ts'

/** A CRUD service over a table of users. Nothing in it knows that the database user changes. */
export function createApp(users: Users, lease: LeaseManager): Express {
  return express()
    .use(express.json())
    .use('/users', usersRouter(users))
    .get('/health', (_request, response) => {
      response.status(lease.current ? 200 : 503).json(lease.status())
    })
    .use(() => {
      throw problem(404, 'There is no such thing.')
    })
    .use(answerProblem)
}

function usersRouter(users: Users): Router {
  return Router()
    .param('id', (_request, _response, next, id) => {
      next(/^[1-9]\d{0,8}$/.test(id) ? undefined : problem(400, 'The id of a user is a number.'))
    })
    .get('/', async (_request, response) => {
      response.json(await users.list())
    })
    .post('/', async ({ body }, response) => {
      if (!isUserInput(body) || !isWhole(body)) throw problem(400, 'A user has a name and an e-mail address.')
      response.status(201).json(await users.create(body))
    })
    .get('/:id', async ({ params }, response) => {
      response.json(found(await users.find(Number(params.id))))
    })
    .patch('/:id', async ({ params, body }, response) => {
      if (!isUserInput(body)) throw problem(400, 'A name or an e-mail address of a user can be changed.')
      response.json(found(await users.change(Number(params.id), body)))
    })
    .delete('/:id', async ({ params }, response) => {
      if (!(await users.delete(Number(params.id)))) throw problem(404, 'There is no such user.')
      response.status(204).end()
    })
}

function found<T>(row: T | undefined): T {
  if (row === undefined) throw problem(404, 'There is no such user.')
  return row
}

function problem(status: number, message: string): Error {
  return Object.assign(new Error(message), { status })
}

const answerProblem: ErrorRequestHandler = (
  error: Error & { code?: string; status?: number },
  _request,
  response,
  _next,
) => {
  const { code, message, status = code === 'ER_DUP_ENTRY' ? 409 : 500 } = error
  if (status >= 500) console.error(error)
  const shown: Record<number, string> = { 409: 'This e-mail address is taken.', 500: 'Something went wrong.' }
  response.status(status).json({ error: shown[status] ?? message })
}
