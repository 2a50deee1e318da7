import type { LeaseManager } from '@vault-lease/typeorm'
import express, { type ErrorRequestHandler, type Express } from 'express'
import { type DataSource, QueryFailedError } from 'typeorm'
import { Users } from './user.ts'
import { isWhole, userInput } from './user-input.ts'

const uniqueViolation = '23505'

/** A CRUD service over a table of users. Nothing in it knows that the database user changes. */
export function createApp(dataSource: DataSource, lease: LeaseManager): Express {
  const users = dataSource.getRepository(Users)
  const app = express().use(express.json())

  app.param('id', (_request, response, next, id: string) => {
    if (/^[1-9]\d{0,8}$/.test(id)) next()
    else response.status(400).send({ error: 'An id is a number.' })
  })

  app.get('/users', async (_request, response) => {
    response.send(await users.find({ order: { id: 'asc' }, take: 100 }))
  })

  app.post('/users', async ({ body }, response) => {
    const input = userInput(body)
    if (!isWhole(input)) return void response.status(400).send({ error: 'A user has a name and an email.' })
    const user = users.create(input)
    await users.insert(user)
    response.status(201).send(user)
  })

  app.get('/users/:id', async ({ params }, response, next) => {
    const user = await users.findOneBy({ id: Number(params.id) })
    if (user) response.send(user)
    else next()
  })

  app.patch('/users/:id', async ({ params, body }, response, next) => {
    const input = userInput(body)
    if (!input) return void response.status(400).send({ error: 'A user has a name and an email.' })
    const id = Number(params.id)
    await users.update(id, input)
    const user = await users.findOneBy({ id })
    if (user) response.send(user)
    else next()
  })

  app.delete('/users/:id', async ({ params }, response, next) => {
    const { affected } = await users.delete(Number(params.id))
    if (affected) response.status(204).send()
    else next()
  })

  app.get('/health', (_request, response) => {
    response.status(lease.current ? 200 : 503).send(lease.status())
  })

  app.use((_request, response) => {
    response.status(404).send({ error: 'There is no such thing.' })
  })
  return app.use(answerError)
}

const answerError: ErrorRequestHandler = (error, _request, response, _next) => {
  if (isUniqueViolation(error))
    return void response.status(409).send({ error: 'This e-mail address is taken.' })
  const status: number = error.status ?? 500
  if (status < 500) return void response.status(status).send({ error: error.message })
  console.error(error)
  response.status(status).send({ error: 'Something went wrong.' })
}

function isUniqueViolation(error: unknown): boolean {
  return (
    error instanceof QueryFailedError &&
    'code' in error.driverError &&
    error.driverError.code === uniqueViolation
  )
}
