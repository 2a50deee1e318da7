// Prints how the start of each server fails.
import { startPostgres, startVault } from '@vault-lease/testing'

const failures = await Promise.all(
  [startPostgres(), startVault()].map((starting) => starting.then(() => 'started', String)),
)
process.stdout.write(JSON.stringify(failures))
process.exit()
