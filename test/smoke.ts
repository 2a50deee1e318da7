import { createLease, createVault, token } from '@vault-lease/core'
import { databaseEngine, hammer, startPostgres, startVault, watchSessions } from '@vault-lease/testing'
import { knexSubject } from './contract/knex-subject.ts'
import { pgSubject } from './contract/pg-subject.ts'

const [postgres, server] = await Promise.all([startPostgres(), startVault()])
await postgres.query(
  `create table items as select id, 'item ' || id as name, 0 as hits from generate_series(1, 100) id; alter table items add primary key (id); create table forbidden (id int); `,
)
const engine = await databaseEngine(server, postgres)
await engine.role('app', { ttl: '10s', maxTtl: '30s' })
for (const [name, make] of Object.entries({ pgSubject, knexSubject })) {
  const lease = createLease({
    vault: createVault({ address: server.address, auth: token(await engine.createToken()) }),
    role: 'app',
  })
  for (const event of ['rotated', 'failed', 'expired', 'retired'] as const)
    lease.on(event, (p) => console.log(event, JSON.stringify(p), 'error' in p ? p.error : ''))
  const subject = await make({ postgres, max: 5, from: { lease }, acquireTimeoutMs: 10_000 })
  const watch = await watchSessions(postgres)
  const rotate = setInterval(() => void lease.rotate().catch(console.error), 400)
  const report = await hammer({ run: subject, workers: 20, until: 4_000 })
  clearInterval(rotate)
  console.log(name, { ...report, timeline: 0 })
  await subject.close()
  await lease.close()
  const { mostAtOnce } = await watch.stop()
  console.log({
    mostAtOnce,
    users: await engine.users(),
    drops: (await engine.drops()).map((d) => d.openSessions).join(),
  })
}
await Promise.all([postgres.stop(), server.stop()])
