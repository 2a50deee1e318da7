// Gives a user of a database engine on whatever servers there are, and prints what it saw.
import { databaseEngine, startPostgres, startVault } from '@vault-lease/testing'

const [postgres, vault] = await Promise.all([startPostgres(), startVault()])
const engine = await databaseEngine(vault, postgres, { mount: 'given' })
await engine.role('app', { ttl: '1m', maxTtl: '5m' })
await vault.must('GET', 'given/creds/app')
const users = await engine.users()
await engine.revokePrefix('app')
const refused = await postgres.kill().catch((error: unknown) => String(error))
await Promise.all([postgres.stop(), vault.stop()])
process.stdout.write(
  JSON.stringify({ port: postgres.port, address: vault.address, users: users.length, refused }),
)
