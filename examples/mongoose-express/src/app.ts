import { pipeline } from 'node:stream/promises'
import type { LeaseManager } from '@vault-lease/mongoose'
import express, { type ErrorRequestHandler, type Express, Router } from 'express'
import mongoose from 'mongoose'
import { User, type UserInput } from './user.ts'
import type { UserChanges } from './user-changes.ts'

/** A CRUD service over a collection of users. Nothing in it knows that the database user changes. */
export function createApp(changes: UserChanges, lease: LeaseManager): Express {
  return express()
    .use(express.json())
    .use('/users', usersRouter(changes))
    .get('/health', (_request, response) => {
      response.status(lease.current ? 200 : 503).json(lease.status())
    })
    .use(() => {
      throw problem(404, 'There is no such thing.')
    })
    .use(answerProblem)
}

function usersRouter(changes: UserChanges): Router {
  return Router()
    .get('/', async (_request, response) => {
      response.json(await User.find().sort({ _id: 1 }).limit(100))
    })
    .post('/', async ({ body }, response) => {
      response.status(201).json(await new User(inputOf(body)).save())
    })
    .get('/changes', async (_request, response) => {
      const events = await changes.listen()
      // Whoever listens may go at any time.
      await pipeline(events, response.type('text/event-stream')).catch(() => {})
    })
    .get('/:id', async ({ params }, response) => {
      response.json(await User.findById(params.id).orFail())
    })
    .patch('/:id', async ({ params, body }, response) => {
      const options = { runValidators: true, returnDocument: 'after' } as const
      response.json(await User.findByIdAndUpdate(params.id, { $set: inputOf(body) }, options).orFail())
    })
    .delete('/:id', async ({ params }, response) => {
      await User.findByIdAndDelete(params.id).orFail()
      response.status(204).end()
    })
}

/** What a client may say of a user. Whether it is well-formed is for the schema to say. */
function inputOf(body: object | undefined): Partial<UserInput> {
  const names = Object.keys(body ?? {})
  if (body && names.length > 0 && names.every((name) => name === 'name' || name === 'email')) return body
  throw problem(400, 'A user has a name and an e-mail address.')
}

function problem(status: number, message: string): Error {
  return Object.assign(new Error(message), { status })
}

const duplicateKey = 11_000
const { CastError, DocumentNotFoundError, ValidationError } = mongoose.Error

function statusOf(error: Error & { code?: unknown; status?: number }): number {
  if (error instanceof DocumentNotFoundError) return 404
  if (error instanceof CastError || error instanceof ValidationError) return 400
  return error.code === duplicateKey ? 409 : (error.status ?? 500)
}

const answerProblem: ErrorRequestHandler = (error: Error, _request, response, _next) => {
  const status = statusOf(error)
  if (status >= 500) console.error(error)
  const shown: Record<number, string> = { 409: 'This e-mail address is taken.', 500: 'Something went wrong.' }
  response.status(status).json({ error: shown[status] ?? error.message })
}
