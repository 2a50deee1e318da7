import type { LeaseManager } from '@vault-lease/pg'
import { asc, DrizzleQueryError, eq } from 'drizzle-orm'
import type { NodePgDatabase } from 'drizzle-orm/node-postgres'
import { type Context, Hono } from 'hono'
import { z } from 'zod'
import { users } from './schema.ts'

const newUser = z.strictObject({ name: z.string().min(1).max(200), email: z.email().max(200) })
const userChange = newUser.partial().refine((change) => Object.keys(change).length > 0, 'nothing to change')
const id = z.coerce
  .number()
  .int()
  .min(1)
  .max(2 ** 31 - 1)

const uniqueViolation = '23505'

/** A CRUD service over a table of users. Nothing in it knows that the database user changes, but /health. */
export function createApp(db: NodePgDatabase, lease: LeaseManager): Hono {
  const app = new Hono()
  const idOf = (context: Context): number => id.parse(context.req.param('id'))

  app.get('/users', async (context) =>
    context.json(await db.select().from(users).orderBy(asc(users.id)).limit(100)),
  )

  app.post('/users', async (context) => {
    const [user] = await db
      .insert(users)
      .values(newUser.parse(await context.req.json()))
      .returning()
    return context.json(user, 201)
  })

  app.get('/users/:id', async (context) => {
    const [user] = await db
      .select()
      .from(users)
      .where(eq(users.id, idOf(context)))
    return user ? context.json(user) : context.notFound()
  })

  app.patch('/users/:id', async (context) => {
    const change = userChange.parse(await context.req.json())
    const [user] = await db
      .update(users)
      .set(change)
      .where(eq(users.id, idOf(context)))
      .returning()
    return user ? context.json(user) : context.notFound()
  })

  app.delete('/users/:id', async (context) => {
    const deleted = await db
      .delete(users)
      .where(eq(users.id, idOf(context)))
      .returning({ id: users.id })
    return deleted.length > 0 ? context.body(null, 204) : context.notFound()
  })

  app.get('/health', (context) => context.json(lease.status(), lease.current ? 200 : 503))

  app.notFound((context) => context.json({ error: 'There is nothing here.' }, 404))
  app.onError((error, context) => {
    if (error instanceof z.ZodError || error instanceof SyntaxError)
      return context.json({ error: error.message }, 400)
    if (error instanceof DrizzleQueryError && (error.cause as { code?: string })?.code === uniqueViolation)
      return context.json({ error: 'This e-mail address is taken.' }, 409)
    console.error(error)
    return context.json({ error: 'Something went wrong.' }, 500)
  })
  return app
}
