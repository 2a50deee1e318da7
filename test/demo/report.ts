import { type Charts, chartsOf } from './charts.ts'
import type { Run } from './figures.ts'
import type { DemoOptions } from './options.ts'

/** A page of its own: no script, nothing loaded, readable in light and dark. */
export function reportPage(runs: readonly Run[], options: DemoOptions): string {
  const role = `${options.workers} workers for ${options.seconds} s on a role with TTL ${options.ttl} and max TTL ${options.maxTtl}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>vault-lease: the demo</title>
<style>${css}</style>
</head>
<body>
<main>
<h1>Database users come and go; queries go on</h1>
<p>${escaped(role)}. Dotted lines mark rotations: from there on every new connection belongs to a new database user.</p>
${runs.map(section).join('\n')}
</main>
</body>
</html>
`
}

function section(run: Run): string {
  const charts = chartsOf(run)
  return `<section>
<h2>${escaped(run.title)}</h2>
${numbers(run)}
${failures(run)}
${run.note ? `<p>${escaped(run.note)}</p>` : ''}
${figure('Database users: in force (dark), then draining until they are dropped (light)', charts.generations)}
${figure('Connections at the database', charts.connections)}
${figure('Queries', charts.rate)}
${figure('Latency, of the slowest tenth of a second in each half', charts.latency)}
</section>`
}

function numbers({ figures, poolMax, pools }: Run): string {
  const openAtRevoke = figures.generations.reduce((sum, generation) => sum + generation.openAtRevoke, 0)
  const cells: readonly (readonly [string, string, boolean?])[] = [
    ['queries', figures.queries.toLocaleString('en')],
    ['failed', figures.failed.toLocaleString('en'), figures.failed > 0],
    ['rotations', String(figures.rotations)],
    ['p50', `${figures.p50Ms} ms`],
    ['p99', `${figures.p99Ms.toFixed(1)} ms`],
    [
      'connections',
      `${figures.maxConnections} of ${poolMax * pools}`,
      figures.maxConnections > poolMax * pools,
    ],
    ['most logins in 100 ms', `${figures.maxLoginsPer100Ms}`],
    ['open at a drop', String(openAtRevoke), openAtRevoke > 0],
    ['users left', String(figures.usersLeft), figures.usersLeft > 0],
  ]
  const shown = cells.map(
    ([name, value, bad]) => `<div${bad ? ' class="bad"' : ''}><dt>${name}</dt><dd>${value}</dd></div>`,
  )
  return `<dl>${shown.join('')}</dl>`
}

function failures({ hammer }: Run): string {
  const kinds = Object.entries(hammer.failures)
  if (kinds.length === 0) return '<p>Not one query failed.</p>'
  const items = kinds.map(
    ([kind, count]) =>
      `<li>${count} × ${escaped(kind)}: ${escaped(messageOf(hammer.firstErrors[kind]))}</li>`,
  )
  return `<ul class="bad">${items.join('')}</ul>`
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function figure(caption: string, svg: Charts[keyof Charts]): string {
  return `<figure><figcaption>${escaped(caption)}</figcaption>${svg}</figure>`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

const css = `
:root { --ground: #fcfcfb; --ink: #1d2126; --soft: #5c6570; --edge: #dfe2e6; --failed: #c81e1e; --line: #2563a8;
  --hue-0: #3b7dc4; --hue-1: #2f9e7f; --hue-2: #8a63c9; --hue-3: #c98a1b; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #15181c; --ink: #e6e9ed; --soft: #9aa4b0; --edge: #2e343b; --failed: #ff6b6b; --line: #7db4ef;
    --hue-0: #5b9be0; --hue-1: #4fc3a1; --hue-2: #a98be0; --hue-3: #e0ad4b; }
}
body { margin: 0; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 20px; margin: 40px 0 12px; }
p { margin: 0 0 12px; color: var(--soft); }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(108px, 1fr)); gap: 1px; margin: 0 0 16px;
  background: var(--edge); border: 1px solid var(--edge); border-radius: 6px; overflow: hidden; }
dl div { background: var(--ground); padding: 10px 12px; }
dt { color: var(--soft); font-size: 12px; }
dd { margin: 0; font-size: 19px; font-variant-numeric: tabular-nums; white-space: nowrap; }
.bad, .bad dd { color: var(--failed); }
figure { margin: 20px 0; overflow-x: auto; }
figcaption { font-size: 13px; color: var(--soft); }
svg { display: block; max-width: 100%; height: auto; font-size: 12px; }
`
