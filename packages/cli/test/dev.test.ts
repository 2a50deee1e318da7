import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Running, run, start } from './cli.ts'

const patience = { timeout: 20_000, interval: 100 }

interface Ready {
  readonly event: string
  readonly application: Record<string, string>
  readonly operator: Record<string, string>
}

describe('vault-lease dev', () => {
  /** Everything that it makes is here, and is gone with it. */
  let folder: string
  let env: NodeJS.ProcessEnv
  let running: Running | undefined
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'dev-'))
    // Database servers run as another user than root.
    chmodSync(folder, 0o755)
    const { VAULT_LEASE_CACHE } = process.env
    env = { TMPDIR: folder, ...(VAULT_LEASE_CACHE && { VAULT_LEASE_CACHE }) }
  })
  afterEach(async () => {
    running?.child.kill('SIGKILL')
    await running?.ended
    await vi.waitFor(() => expect(processes()).toEqual([]), patience)
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })

  const dev = (...args: string[]): Running => {
    running = start(['dev', ...args], env)
    return running
  }
  const ready = async (...args: string[]): Promise<Ready> => {
    const [line] = await dev('--json', ...args).until(/^\{"event":"ready".*\}$/m)
    return JSON.parse(line)
  }
  const end = async (): Promise<void> => {
    running?.child.kill('SIGINT')
    expect(await running?.ended).toBe(0)
    expect(processes()).toEqual([])
    expect(readdirSync(folder).filter((name) => name.startsWith('vault-lease-'))).toEqual([])
  }
  const processes = (): string[] =>
    execFileSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(folder))

  it.each([['--ttl', '10s'], ['--mysql'], ['--mongo']])(
    '%s runs what an application needs, and tells of its users',
    async (...kind) => {
      const { application, operator } = await ready(...kind)
      const { code, stdout } = await run(
        ['exec', '--', process.execPath, '-p', 'process.env.DB_USERNAME'],
        application,
      )
      expect(code).toBe(0)
      const user = stdout.trim()
      await running?.until(new RegExp(`"event":"went","username":"${user}"`))
      const [, came] = (await running?.until(new RegExp(`"event":"(came)","username":"${user}"`))) ?? []
      expect(came).toBe('came')
      expect(await run(['creds', '--role', 'readonly', '--json'], application)).toMatchObject({ code: 0 })
      const status = await run(['status', '--role', 'readonly', '--json'], { ...application, ...operator })
      expect(JSON.parse(status.stdout)).toMatchObject({ leases: 1 })
      expect(await run(['orphans'], operator)).toMatchObject({ code: 0 })
      await end()
    },
  )

  it('prints what is to be pasted, and a line for each user', async () => {
    const printing = dev('--ttl', '2s', '--max-ttl', '4s')
    await printing.until(/come and go/)
    const application = Object.fromEntries(
      Array.from(
        printing.stdout.split('For orphans')[0]?.matchAll(/^export (\w+)="(.*)"$/gm) ?? [],
        ([, name, value]) => [name, value],
      ),
    )
    const program = ['creds', '--format', 'lines']
    const [user] = (await run(program, application)).stdout.split('\n')
    await printing.until(new RegExp(`\\d\\d:\\d\\d:\\d\\d  \\+ ${user}\n[^]*- ${user} after [2-4]\\.\\d s`))
    await end()
  })

  it('writes a file instead, which holds the only secrets', async () => {
    const out = join(folder, '.env')
    const schema = join(folder, 'schema.sql')
    writeFileSync(
      schema,
      'create table items (id int); insert into items values (1); create function f() returns int language sql as $$ select 1; $$',
    )
    const writing = dev('--out', out, '--schema', schema)
    await writing.until(/come and go/)
    expect(statSync(out).mode & 0o777).toBe(0o600)
    const text = readFileSync(out, 'utf8')
    const application = Object.fromEntries(
      Array.from(text.matchAll(/^(\w+)=(.*)$/gm), ([, name, value]) => [name, value]),
    )
    expect(Object.keys(application)).toEqual(
      expect.arrayContaining([
        'VAULT_ADDR',
        'VAULT_TOKEN',
        'VAULT_DB_ROLE',
        'PGHOST',
        'PGPORT',
        'PGDATABASE',
      ]),
    )
    const query = ['psql', '--role', 'readonly', '--', '-Atc', 'select id from items']
    expect(await run(query, application)).toMatchObject({ code: 0, stdout: '1\n' })
    expect(writing.stdout + writing.stderr).not.toContain(application['VAULT_TOKEN'])
    expect(writing.stdout).not.toContain('export')
    await end()
    expect(existsSync(out)).toBe(false)
  })

  it('keeps data, and cleans up after one that was killed', async () => {
    const data = join(folder, 'kept')
    const schema = join(folder, 'schema.sql')
    writeFileSync(schema, 'create table if not exists items (id int)')
    const first = await ready('--data', data, '--schema', schema)
    const psql = (access: Ready, sql: string) => run(['psql', '--', '-Atc', sql], { ...access.application })
    expect(await psql(first, 'insert into items values (1)')).toMatchObject({ code: 0 })
    expect(await run(['creds', '--json'], first.application)).toMatchObject({ code: 0 })
    running?.child.kill('SIGKILL')
    await vi.waitFor(() => expect(processes()).toEqual([]), patience)

    // PostgreSQL takes itself to be running there until its parent has seen the end of it.
    const second = await vi.waitFor(() => ready('--data', data, '--schema', schema), patience)
    expect(second.application['PGPORT']).toBe(first.application['PGPORT'])
    expect(await run(['orphans', '--json'], second.operator)).toMatchObject({
      code: 0,
      stdout: '{"orphans":[],"leased":[],"undecided":[]}\n',
    })
    expect(await psql(second, 'select id from items')).toMatchObject({ stdout: '1\n' })
    expect(await run(['creds', '--json'], second.application)).toMatchObject({ code: 0 })
    await end()
    await ready('--data', data)
    expect(running?.stdout).not.toContain('came')
    await end()
  })

  it.each([0, 300, 1_500, 2_500])('ended after %i ms, it leaves nothing', async (ms) => {
    const early = dev()
    await early.until(/Starting/)
    await sleep(ms)
    early.child.kill('SIGINT')
    expect(await early.ended).toBe(0)
    await vi.waitFor(() => expect(processes()).toEqual([]), patience)
    await vi.waitFor(() => expect(readdirSync(folder)).toEqual([]), patience)
  })

  it('killed, it leaves nothing', async () => {
    await ready()
    expect(processes()).not.toEqual([])
    running?.child.kill('SIGKILL')
    await vi.waitFor(() => expect(processes()).toEqual([]), patience)
    await vi.waitFor(() => expect(readdirSync(folder)).toEqual([]), patience)
  })

  it.each([
    { what: 'two databases', args: ['--mysql', '--mongo'], code: 2, says: "'--mongo'" },
    { what: 'a schema that is not there', args: ['--schema', '/nowhere.sql'], code: 2, says: '/nowhere.sql' },
    { what: 'a time that is none', args: ['--ttl', 'soon'], code: 2, says: '--ttl' },
    { what: 'nowhere to write', args: ['--out', '/nowhere/.env'], code: 2, says: '--out' },
  ])('says what is wrong: $what', async ({ args, code, says }) => {
    expect(await run(['dev', ...args], env)).toMatchObject({
      code,
      stdout: '',
      stderr: expect.stringContaining(says),
    })
  })

  it('says what the database says of the schema', async () => {
    const schema = join(folder, 'schema.sql')
    writeFileSync(schema, 'create tabel items (id int)')
    const ended = await run(['dev', '--schema', schema], env)
    expect(ended).toMatchObject({
      code: 4,
      stderr: expect.stringContaining('syntax error at or near "tabel"'),
    })
  })
})
