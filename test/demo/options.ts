import { parseArgs } from 'node:util'
import { isSubjectName, type SubjectName, subjectNames } from '../subjects/index.ts'

export interface DemoOptions {
  readonly adapter: SubjectName
  readonly seconds: number
  readonly workers: number
  /** Such as `10s`. */
  readonly ttl: string
  readonly maxTtl: string
  readonly json: string | undefined
  readonly report: string
  readonly baseline: boolean
  /** Whether Prometheus may scrape it while it runs. */
  readonly metrics: boolean
}

export const usage = `npm run demo -- [options]
  --adapter NAME      what the application uses (knex): ${subjectNames.join(', ')}
  --seconds N         how long it runs (60)
  --workers N         how many workers query at once (20)
  --ttl 10s           default TTL of the role
  --max-ttl 30s       max TTL of the role
  --baseline          the same load through a hand-written client, side by side
  --metrics           serve /metrics for Prometheus while it runs
  --json FILE         write the figures
  --report FILE       write the HTML report (vault-lease-demo.html)`

/** @throws Error that says what is wrong with an argument. */
export function parseOptions(args: string[]): DemoOptions {
  const { values } = parseArgs({
    args,
    options: {
      adapter: { type: 'string', default: 'knex' },
      seconds: { type: 'string', default: '60' },
      workers: { type: 'string', default: '20' },
      ttl: { type: 'string', default: '10s' },
      'max-ttl': { type: 'string', default: '30s' },
      baseline: { type: 'boolean', default: false },
      metrics: { type: 'boolean', default: false },
      json: { type: 'string' },
      report: { type: 'string', default: 'vault-lease-demo.html' },
    },
  })
  const { adapter, ttl, 'max-ttl': maxTtl, baseline, metrics, json, report } = values
  if (!isSubjectName(adapter)) throw new Error(`--adapter ${adapter}: there is ${subjectNames.join(', ')}`)
  if (secondsIn(ttl) > secondsIn(maxTtl)) throw new Error(`--ttl ${ttl} is longer than --max-ttl ${maxTtl}`)
  const seconds = positive('seconds', values.seconds)
  const workers = positive('workers', values.workers)
  return { adapter, seconds, workers, ttl, maxTtl, json, report, baseline, metrics }
}

export function secondsIn(duration: string): number {
  const [, count, unit] = /^([1-9]\d*)([sm])$/.exec(duration) ?? []
  if (count === undefined) throw new Error(`${duration} is not a duration such as 10s or 2m`)
  return Number(count) * (unit === 'm' ? 60 : 1)
}

function positive(name: string, text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text)
  throw new Error(`--${name} ${text}: a whole number above 0 is needed`)
}
