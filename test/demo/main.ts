import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { optionsOrExit } from '../options-or-exit.ts'
import type { Run } from './figures.ts'
import { LiveLine } from './live-line.ts'
import { serveMetrics } from './metrics-endpoint.ts'
import { parseOptions, usage } from './options.ts'
import { reportPage } from './report.ts'
import { runHandWritten, runRotating, startDemoServers } from './run.ts'

const options = optionsOrExit(parseOptions, usage)
console.error('Starting a database and a Vault-compatible server …')
const servers = await startDemoServers(options)
console.log(
  `${options.workers} workers on ${options.adapter} for ${options.seconds} s; the role has TTL ${options.ttl}, max TTL ${options.maxTtl}.`,
)
const metrics = options.metrics ? await serveMetrics() : undefined
if (metrics) console.log(`Metrics: ${metrics.url}`)
const live = new LiveLine()
const runs = await Promise.all([
  runRotating(servers, options, live).finally(() => live.stop()),
  ...(options.baseline ? [runHandWritten(servers, options)] : []),
])
await servers.stop()
await metrics?.[Symbol.asyncDispose]()

for (const run of runs) console.log(summary(run))
writeFileSync(options.report, reportPage(runs, options))
console.log(`Report: ${resolve(options.report)}`)
const [{ figures }, baseline] = runs as [Run, Run?]
if (options.json) {
  const all = baseline ? { ...figures, baseline: baseline.figures } : figures
  writeFileSync(options.json, `${JSON.stringify(all, undefined, 2)}\n`)
}
process.exitCode = figures.failed > 0 || figures.usersLeft > 0 ? 1 : 0

function summary({ title, figures, hammer, poolMax, pools }: Run): string {
  const open = figures.generations.reduce((sum, { openAtRevoke }) => sum + openAtRevoke, 0)
  const kinds = Object.entries(hammer.failures).map(([kind, count]) => `${count} × ${kind}`)
  return [
    '',
    `${title}:`,
    `  queries        ${figures.queries}, failed ${figures.failed}${kinds.length > 0 ? ` (${kinds.join(', ')})` : ''}`,
    `  latency        p50 ${figures.p50Ms} ms, p99 ${figures.p99Ms} ms`,
    `  rotations      ${figures.rotations}`,
    `  connections    at most ${figures.maxConnections} of ${pools === 1 ? poolMax : `${pools} × ${poolMax}`}; ${open} open when their user was dropped`,
    `  logins         at most ${figures.maxLoginsPer100Ms} in 100 ms, at a rotation`,
    `  users left     ${figures.usersLeft}`,
  ].join('\n')
}
