// Starts MongoDB and a Vault with the engine on it, prints all processes below this one, and stops the servers on SIGTERM.
import { execFileSync } from 'node:child_process'
import { startServers } from '@vault-lease/testing'

const servers = await startServers({ kind: 'mongodb' })
process.on('SIGTERM', () => servers.stop().then(() => process.exit()))
process.stdout.write(`${JSON.stringify(processesBelow(process.pid))}\n`)
setInterval(() => {}, 1_000)

function processesBelow(ancestor: number): number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number))
  const below = (parent: number | undefined): number[] =>
    pairs.flatMap(([pid = 0, ppid]) => (ppid === parent ? [pid, ...below(pid)] : []))
  return below(ancestor)
}
