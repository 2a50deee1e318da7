// Starts both servers, prints where they are, and waits to be killed.
import { startPostgres, startVault } from '@vault-lease/testing'

const [postgres, vault] = await Promise.all([startPostgres(), startVault()])
const [folder] = await postgres.query<{ data_directory: string }>('show data_directory')
process.stdout.write(
  `${JSON.stringify({ port: postgres.port, address: vault.address, data: folder?.data_directory })}\n`,
)
setInterval(() => {}, 1_000)
