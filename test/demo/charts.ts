import * as Plot from '@observablehq/plot'
import { parseHTML } from 'linkedom'
import type { GenerationFigures, Run } from './figures.ts'

const width = 960
const marginLeft = 64
const marginRight = 24
const bucketMs = 500
const hues = 4

const hueOf = (index: number): string => `var(--hue-${index % hues})`
const seconds = (ms: number): number => ms / 1_000

/** The charts of one run as SVG, all on one time axis in seconds. */
export interface Charts {
  readonly generations: string
  readonly connections: string
  readonly rate: string
  readonly latency: string
}

export function chartsOf(run: Run): Charts {
  return {
    generations: generationChart(run),
    connections: connectionChart(run),
    rate: rateChart(run),
    latency: latencyChart(run),
  }
}

function generationChart(run: Run): string {
  const { generations } = run.figures
  const bars = generations.map((generation, index) => ({
    ...generation,
    index,
    label: String(index + 1),
    inForceTo: generations[index + 1]?.from ?? generation.to,
  }))
  return draw(run, 40 + bars.length * 26, {
    y: { domain: bars.map(({ label }) => label), label: null },
    marks: [
      ...rotationRules(run),
      Plot.barX(bars, {
        x1: ({ from }) => seconds(from),
        x2: ({ to }) => seconds(to),
        y: 'label',
        fill: ({ index }) => hueOf(index),
        fillOpacity: 0.35,
        insetTop: 3,
        insetBottom: 3,
      }),
      Plot.barX(bars, {
        x1: ({ from }) => seconds(from),
        x2: ({ inForceTo, to }) => seconds(Math.min(inForceTo, to)),
        y: 'label',
        fill: ({ index }) => hueOf(index),
        insetTop: 3,
        insetBottom: 3,
      }),
      ...(['before', 'after', 'on'] as const).map((side) => nameMark(bars, side, run)),
    ],
  })
}

type Side = 'before' | 'after' | 'on'

/** The name of the user stands where there is room: before or after the bar, or on it. */
function sideWithRoom({ from, to }: GenerationFigures, run: Run): Side {
  const whole = durationOf(run) * 1_000
  const needed = whole * 0.4
  if (whole - to > needed) return 'after'
  return from > needed ? 'before' : 'on'
}

function nameMark(
  bars: readonly (GenerationFigures & { readonly label: string })[],
  side: Side,
  run: Run,
): Plot.Markish {
  return Plot.text(
    bars.filter((bar) => sideWithRoom(bar, run) === side),
    {
      x: ({ from, to }) => seconds(side === 'after' ? to : from),
      y: 'label',
      text: ({ username, openAtRevoke }) => `${shortName(username)} · ${openAtRevoke} open at its drop`,
      fill: side === 'on' ? 'var(--ground)' : 'currentColor',
      ...(side !== 'on' && { stroke: 'var(--ground)', strokeWidth: 4 }),
      textAnchor: side === 'before' ? 'end' : 'start',
      dx: side === 'before' ? -6 : 6,
    },
  )
}

/** v-<how it logged in>-<role>-<what tells it from others>-<when>. */
function shortName(username: string): string {
  const [unique = username, createdAt = ''] = username.split(/[-_]/).slice(-2)
  return `…-${unique}-${createdAt}`
}

function connectionChart(run: Run): string {
  const { sessions, startedAt, figures, poolMax, pools } = run
  const limits = pools === 1 ? [poolMax] : [poolMax, poolMax * pools]
  const users = figures.generations.map(({ username }) => username)
  const looks = sessions.timeline.map(({ at, sessions }) => ({ second: seconds(at - startedAt), sessions }))
  const samples = looks.flatMap(({ second, sessions }) =>
    users.map((user, index) => ({ second, index, open: sessions[user] ?? 0 })),
  )
  return draw(run, 170, {
    y: { label: 'connections, by user', domain: [0, poolMax * pools + 1], ticks: 5 },
    marks: [
      Plot.areaY(samples, {
        x: 'second',
        y: 'open',
        z: 'index',
        order: 'index',
        fill: ({ index }) => hueOf(index),
        curve: 'step-after',
      }),
      ...rotationRules(run),
      Plot.ruleY(limits, { stroke: 'currentColor', strokeDasharray: '4 3' }),
      Plot.text(limits, {
        y: (limit) => limit,
        frameAnchor: 'right',
        dy: -7,
        text: (limit) =>
          limit === poolMax ? `the pool's max, ${limit}` : `two pools during a drain, ${limit}`,
      }),
    ],
  })
}

function rateChart(run: Run): string {
  const perSecond = 1_000 / bucketMs
  const buckets = bucketsOf(run)
  const failed = buckets.filter((bucket) => bucket.failed > 0)
  return draw(run, 170, {
    y: { label: 'queries a second (failed ones in red)', grid: true, zero: true },
    marks: [
      ...rotationRules(run),
      Plot.lineY(buckets, {
        x: 'second',
        y: ({ queries }) => queries * perSecond,
        stroke: 'var(--line)',
        strokeWidth: 1.5,
      }),
      Plot.rectY(failed, {
        x1: ({ second }) => second,
        x2: ({ second }) => second + bucketMs / 1_000,
        y: ({ failed }) => failed * perSecond,
        fill: 'var(--failed)',
      }),
      Plot.ruleY([0]),
    ],
  })
}

function latencyChart(run: Run): string {
  return draw(run, 170, {
    y: { label: 'p99 latency, ms', grid: true, zero: true },
    marks: [
      ...rotationRules(run),
      Plot.lineY(bucketsOf(run), { x: 'second', y: 'p99Ms', stroke: 'var(--line)', strokeWidth: 1.5 }),
      Plot.ruleY([0]),
    ],
  })
}

interface Bucket {
  readonly second: number
  readonly queries: number
  readonly failed: number
  /** Of the slowest tenth of a second in it. */
  readonly p99Ms: number
}

function bucketsOf({ hammer }: Run): Bucket[] {
  const buckets = new Map<number, Bucket>()
  for (const { atMs, queries, failed, p99Ms } of hammer.timeline) {
    const second = seconds(Math.floor(atMs / bucketMs) * bucketMs)
    const sum = buckets.get(second) ?? { second, queries: 0, failed: 0, p99Ms: 0 }
    buckets.set(second, {
      second,
      queries: sum.queries + queries,
      failed: sum.failed + failed,
      p99Ms: Math.max(sum.p99Ms, p99Ms),
    })
  }
  const complete = seconds(hammer.tookMs - bucketMs)
  return [...buckets.values()].filter(({ second }) => second <= complete)
}

function rotationRules(run: Run): Plot.Markish[] {
  const moments = run.figures.generations.slice(1).map(({ from }) => seconds(from))
  return [Plot.ruleX(moments, { stroke: 'currentColor', strokeOpacity: 0.35, strokeDasharray: '2 3' })]
}

function durationOf({ hammer, figures }: Run): number {
  return seconds(Math.max(hammer.tookMs, ...figures.generations.map(({ to }) => to)))
}

function draw(run: Run, height: number, options: Plot.PlotOptions): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>')
  const plot = Plot.plot({
    document,
    width,
    height,
    marginLeft,
    marginRight,
    style: { background: 'none', color: 'inherit', overflow: 'visible' },
    ...options,
    x: { domain: [0, durationOf(run)], label: 'seconds' },
  })
  return plot.outerHTML
}
