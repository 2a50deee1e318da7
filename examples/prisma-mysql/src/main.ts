import { closeOnSignal, createLease, vaultAdapter } from '@vault-lease/prisma'
import { fastify } from 'fastify'
import { answerTo } from './answer.ts'
import { PrismaClient } from './generated/prisma/client.ts'
import { place } from './place.ts'
import { users } from './users.ts'
import { vault } from './vault.ts'

// With `vaultAdapter({ provider: 'mysql', vault: vault() })` alone, `db.$disconnect()` closes the lease too. Here /health
// shows the lease, so it is made first, and closed last.
const lease = createLease({ vault: vault() })
const db = new PrismaClient({ adapter: vaultAdapter({ provider: 'mysql', lease, ...place }) })

// What arrives on an open connection while the server closes is still served.
const app = fastify({ return503OnClosing: false })
app.setErrorHandler<Error>((error, _request, reply) => {
  const { status, ...answer } = answerTo(error)
  if (status >= 500) console.error(error)
  return reply.code(status).send(answer)
})
app.register(users, { prefix: '/users', db })
app.get('/health', (_request, reply) => reply.code(lease.current ? 200 : 503).send(lease.status()))

closeOnSignal(app, db, lease)
await lease.ready()
const { HOST: host = '0.0.0.0', PORT: port = '3000' } = process.env
console.log(`Listening on ${await app.listen({ host, port: Number(port) })}`)
