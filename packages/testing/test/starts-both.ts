// Starts both servers, prints where they are, pauses PostgreSQL, and waits to be killed.
import { startPostgres, startVault } from '@vault-lease/testing'

const [postgres, vault] = await Promise.all([startPostgres(), startVault()])
const [folder] = await postgres.query<{ data_directory: string }>('show data_directory')
const sessions = await postgres.query<{ pid: number }>('select pid from pg_stat_activity')
postgres.pause()
process.stdout.write(
  `${JSON.stringify({ port: postgres.port, address: vault.address, data: folder?.data_directory, pids: sessions.map(({ pid }) => pid) })}\n`,
)
setInterval(() => {}, 1_000)
