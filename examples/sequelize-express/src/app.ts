import type { LeaseManager } from '@vault-lease/sequelize'
import express, { type ErrorRequestHandler, type Express } from 'express'
import { UniqueConstraintError } from 'sequelize'
import { User } from './user.ts'
import { isWhole, userInput } from './user-input.ts'

/** A CRUD service over a table of users. Nothing in it knows that the database user changes. */
export function createApp(lease: LeaseManager): Express {
  const app = express().use(express.json())

  app.param('id', (_request, response, next, id: string) => {
    if (/^[1-9]\d{0,8}$/.test(id)) next()
    else response.status(400).send({ error: 'An id is a number.' })
  })

  app.get('/users', async (_request, response) => {
    response.send(await User.findAll({ order: ['id'], limit: 100 }))
  })

  app.post('/users', async ({ body }, response) => {
    const input = userInput(body)
    if (!isWhole(input)) return void response.status(400).send({ error: 'A user has a name and an email.' })
    response.status(201).send(await User.create(input))
  })

  app.get('/users/:id', async ({ params }, response, next) => {
    const user = await User.findByPk(Number(params.id))
    if (user) response.send(user)
    else next()
  })

  app.patch('/users/:id', async ({ params, body }, response, next) => {
    const input = userInput(body)
    if (!input) return void response.status(400).send({ error: 'A user has a name and an email.' })
    const user = await changed(Number(params.id), input)
    if (user) response.send(user)
    else next()
  })

  app.delete('/users/:id', async ({ params }, response, next) => {
    if (await User.destroy({ where: { id: Number(params.id) } })) response.status(204).send()
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

/** In one transaction, so that what is answered is what was written. */
async function changed(id: number, input: Partial<User>): Promise<User | null> {
  const { sequelize } = User
  if (!sequelize) throw new Error('the model is not defined yet')
  return await sequelize.transaction(async (transaction) => {
    const user = await User.findByPk(id, { lock: true, transaction })
    return (await user?.update(input, { transaction })) ?? null
  })
}

const answerError: ErrorRequestHandler = (error, _request, response, _next) => {
  if (error instanceof UniqueConstraintError)
    return void response.status(409).send({ error: 'This e-mail address is taken.' })
  const status: number = error.status ?? 500
  if (status < 500) return void response.status(status).send({ error: error.message })
  console.error(error)
  response.status(status).send({ error: 'Something went wrong.' })
}
