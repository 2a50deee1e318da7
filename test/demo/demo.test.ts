import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'vault-lease-demo-'))
const main = fileURLToPath(new URL('./main.ts', import.meta.url))
const demo = (...args: string[]) =>
  promisify(execFile)(process.execPath, [
    '--import',
    'tsx',
    '--conditions=@vault-lease/source',
    main,
    ...args,
  ])

describe('the demo', () => {
  afterAll(() => rmSync(folder, { recursive: true }))

  it('shows the rotations of a run and the failures of a hand-written client beside it', async () => {
    const json = join(folder, 'out.json')
    const report = join(folder, 'report.html')
    const short = ['--seconds', '15', '--ttl', '5s', '--max-ttl', '8s', '--baseline', '--metrics']
    const { stdout } = await demo('--adapter', 'pg', ...short, '--json', json, '--report', report)
    const figures = JSON.parse(readFileSync(json, 'utf8'))
    expect(figures).toMatchObject({ failed: 0, usersLeft: 0 })
    expect(figures.queries).toBeGreaterThan(1_000)
    expect(figures.rotations).toBeGreaterThanOrEqual(3)
    expect(figures.generations).toHaveLength(figures.rotations + 1)
    for (const { openAtRevoke, from, to } of figures.generations) {
      expect(openAtRevoke).toBe(0)
      expect(to).toBeGreaterThan(from)
    }
    expect(figures.maxConnections).toBe(10)
    expect(figures.maxLoginsPer100Ms).toBeGreaterThan(0)
    expect(figures.baseline.failed).toBeGreaterThan(0)
    expect(stdout).toContain('Report: ')
    expect(stdout).toMatch(/^Metrics: http:\/\/127\.0\.0\.1:\d+\/metrics$/m)
    const page = readFileSync(report, 'utf8')
    expect(page.match(/<svg/g)).toHaveLength(8)
    for (const { username } of figures.generations) expect(page).toContain(username.split('-').at(-2))
    expect(page).not.toMatch(/<script|https?:\/\/(?!www\.w3\.org)/)
  }, 60_000)

  it.each([
    [['--adapter', 'oracle'], 'there is pg, postgres, knex, '],
    [['--seconds', '0'], 'a whole number above 0'],
    [['--ttl', '1h'], 'not a duration'],
    [['--ttl', '40s'], 'longer than --max-ttl'],
    [['--wrokers', '3'], "Unknown option '--wrokers'"],
  ])('refuses %j and says how it is used', async (args, said) => {
    const failure = await demo(...args).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 2, stderr: expect.stringContaining(said) })
    expect(failure).toMatchObject({ stderr: expect.stringContaining('npm run demo -- [options]') })
  })
})
